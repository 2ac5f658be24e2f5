// A job in; training events, a checkpoint an epoch and at last a model folder out. Runs in the child process.
import {join} from 'node:path';
import {openCheckpoint, saveModelFolder} from '../data/checkpoint.js';
import {loadTokenizer} from '../data/tokenizer.js';
import {fineTuneMain} from '../pipeline/fine-tune-main.js';
import type {loadClassifier} from '../pipeline/load-classifier.js';
import {trainReference} from '../pipeline/train-reference.js';
import type {TrainingOptions} from '../pipeline/types.js';
import {loadCheckpoint, saveCheckpoint} from './checkpoints.js';
import {MeteredClassifier} from './metered-classifier.js';
import {loadTokens} from './tokens.js';
import type {FromTrainer, SplitSource, TrainerJob} from './trainer-protocol.js';

export type LoadClassifier = typeof loadClassifier;
type Progress = Extract<FromTrainer, {kind: 'event' | 'epoch'}>;

export interface JobContext {
  signal: AbortSignal;
  /** Resolves when training may go on. */
  tell(message: Progress): Promise<void>;
}

/** Throws FtftErrors of training, of damaged files and of a full disk; the signal's reason when it is stopped. */
export async function train(
  job: TrainerJob,
  load: LoadClassifier,
  {signal, tell}: JobContext,
): Promise<{modelFolder: string; flops: number}> {
  const {spec, classNames, resume} = job;
  const {config} = await openCheckpoint(job.modelFolder);
  const tokenizer = await loadTokenizer(job.modelFolder, config.vocabSize);
  const tokens = (source: SplitSource) =>
    loadTokens(source, tokenizer, {
      folder: job.tokensFolder,
      maxLength: spec.maxLength,
      numClasses: classNames.length,
      signal,
    });
  const dataset = await tokens(job.train);
  const evaluationSets: TrainingOptions['evaluationSets'] = [];
  for (const source of job.evaluationSets) evaluationSets.push({...source, dataset: await tokens(source)});

  const {seed, weightDecay} = spec;
  const loaded = await load(job.modelFolder, {
    layers: spec.layers || undefined,
    classNames,
    seed,
    weightDecay,
    precision: spec.precision === 'BFLOAT16' ? 'bfloat16' : 'float32',
  });
  const classifier = new MeteredClassifier(loaded, {
    numLayers: spec.layers || config.numHiddenLayers,
    hiddenSize: config.hiddenSize,
    intermediateSize: config.intermediateSize,
    numClasses: classNames.length,
  });
  try {
    if (resume) classifier.restore(await loadCheckpoint(resume.checkpoint));
    const options: TrainingOptions = {...spec, totalSteps: job.totalSteps, evaluationSets, signal, resume};
    const events = job.instances
      ? fineTuneMain(classifier, dataset, job.instances, options)
      : trainReference(classifier, dataset, options);
    for await (const event of events) {
      if (event.kind !== 'epoch') {
        await tell({kind: 'event', event, flops: classifier.flops});
        continue;
      }
      const began = performance.now();
      const file = join(job.folder, `checkpoint-attempt-${job.attempt}-epoch-${event.epoch}.safetensors`);
      const checkpoint = await saveCheckpoint(file, classifier.state());
      const checkpointSeconds = (performance.now() - began) / 1000;
      await tell({kind: 'epoch', event, flops: classifier.flops, checkpoint, checkpointSeconds});
    }
    const modelFolder = join(job.folder, `model-attempt-${job.attempt}`);
    await saveModelFolder(modelFolder, {
      config: classifier.config(),
      tensors: classifier.weights(),
      tokenizerFolder: job.modelFolder,
    });
    return {modelFolder, flops: classifier.flops};
  } finally {
    classifier.dispose();
  }
}
