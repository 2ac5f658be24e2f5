// A job in; training events, a checkpoint an epoch and at last a model folder out. Runs in the child process.
import {join} from 'node:path';
import {openCheckpoint, saveModelFolder} from '../data/checkpoint.js';
import {loadTokenizer} from '../data/tokenizer.js';
import type {NamedTensor} from '../data/types.js';
import {encoderShape} from '../pipeline/cost.js';
import {evaluate} from '../pipeline/evaluate.js';
import {fineTuneMain} from '../pipeline/fine-tune-main.js';
import {putBack} from '../pipeline/keep-best.js';
import type {loadClassifier} from '../pipeline/load-classifier.js';
import type {Rates} from '../pipeline/predict-cost.js';
import {trainReference} from '../pipeline/train-reference.js';
import type {EvaluationSet, PartialEpoch, TokenizedDataset, TrainingEvent, TrainingOptions} from '../pipeline/types.js';
import {loadCheckpoint, saveCheckpoint} from './checkpoints.js';
import {MeteredClassifier} from './metered-classifier.js';
import {loadTokens} from './tokens.js';
import {TrainerMeter} from './trainer-meter.js';
import type {CheckpointFile, FromTrainer, SplitSource, TrainerJob} from './trainer-protocol.js';

export type LoadClassifier = typeof loadClassifier;
type Progress = Extract<FromTrainer, {kind: 'event' | 'epoch' | 'checkpoint' | 'tested'}>;

export interface JobContext {
  signal: AbortSignal;
  /** True once training is to stop where another attempt can go on. */
  isLeaving: () => boolean;
  /** Resolves when training may go on. */
  tell(message: Progress): Promise<void>;
}

/** What the files hold that the run keeps, and what the attempt took. */
type Done = Omit<Extract<FromTrainer, {kind: 'done'}>, 'kind'>;

/** Throws FtftErrors of training, of damaged files and of a full disk; the signal's reason when it is stopped. */
export async function train(job: TrainerJob, load: LoadClassifier, context: JobContext): Promise<Done> {
  const meter = new TrainerMeter();
  const {dataset, evaluationSets, testSets, classifier} = await prepare(job, load, context.signal, meter);
  try {
    const {resume, instances} = job;
    const loaded = resume && (await loadCheckpoint(resume.checkpoint));
    if (loaded) classifier.restore(loaded.state);
    const teller = new Teller(job, classifier, meter, context);
    const {signal} = context;
    const rest = {signal, isCheckpointDue: () => teller.isCheckpointDue()};
    const options = trainingOptions(job, evaluationSets, rest, loaded?.partialEpoch);
    const events = job.isMain
      ? fineTuneMain(classifier, dataset, instances ?? everyInstance(dataset), options)
      : trainReference(classifier, dataset, options);
    for await (const event of events) await teller.tell(event);
    const {best} = teller;
    if (best) putBack(classifier, (await loadCheckpoint(best)).state);
    if (testSets.length > 0) await teller.test(testSets);
    const modelFolder = await saveModel(job, classifier, meter);
    const rates: Rates | undefined = resume ? undefined : meter.rates();
    return {modelFolder, spent: meter.spent, keptSteps: teller.keptSteps, rates};
  } finally {
    classifier.dispose();
  }
}

interface Prepared {
  dataset: TokenizedDataset;
  evaluationSets: EvaluationSet[];
  testSets: EvaluationSet[];
  classifier: MeteredClassifier;
}

/** Texts as tokens, and the model. */
export async function prepare(
  job: Pick<
    TrainerJob,
    'spec' | 'classNames' | 'modelFolder' | 'tokensFolder' | 'train' | 'evaluationSets' | 'testSets'
  >,
  load: LoadClassifier,
  signal: AbortSignal,
  meter: TrainerMeter,
): Promise<Prepared> {
  const {spec, classNames, modelFolder} = job;
  const {config} = await openCheckpoint(modelFolder);
  const began = performance.now();
  const tokenizer = await loadTokenizer(modelFolder, config.vocabSize);
  const tokens = (source: SplitSource) => {
    const {maxLength} = spec;
    return loadTokens(source, tokenizer, {
      ...{folder: job.tokensFolder, maxLength, numClasses: classNames.length, signal},
    });
  };
  const dataset = await tokens(job.train);
  const evaluationSets: EvaluationSet[] = [];
  for (const source of job.evaluationSets) evaluationSets.push({...source, dataset: await tokens(source)});
  const testSets: EvaluationSet[] = [];
  for (const source of job.testSets) testSets.push({...source, dataset: await tokens(source)});
  const tokensSeconds = secondsSince(began);

  const {seed, weightDecay} = spec;
  const loaded = await load(modelFolder, {
    layers: spec.layers || undefined,
    classNames,
    seed,
    weightDecay,
    precision: spec.precision === 'BFLOAT16' ? 'bfloat16' : 'float32',
  });
  const shape = encoderShape(config, spec.layers || config.numHiddenLayers, classNames.length);
  const classifier = new MeteredClassifier(loaded, shape);
  meter.loaded(classifier, tokensSeconds);
  return {dataset, evaluationSets, testSets, classifier};
}

function trainingOptions(
  job: TrainerJob,
  evaluationSets: EvaluationSet[],
  rest: Pick<TrainingOptions, 'signal' | 'isCheckpointDue'>,
  partialEpoch: PartialEpoch | undefined,
): TrainingOptions {
  const {spec, totalSteps, scheduleSteps, earlyStopping, baseline, warningThresholds, resume} = job;
  const evaluationIntervalSteps = earlyStopping?.evaluationIntervalSteps ?? spec.evaluationIntervalSteps;
  return {
    ...spec,
    ...{totalSteps, scheduleSteps, evaluationIntervalSteps, evaluationSets},
    ...{earlyStopping, baseline, warningThresholds, resume: resume && {...resume, partialEpoch}},
    ...rest,
  };
}

/** Tells the parent what training tells, each with what must be on disk before. */
class Teller {
  /** Weights of the best round so far, under early stopping. */
  best: (CheckpointFile & {steps: number}) | undefined;
  steps: number;
  private savedAt = performance.now();
  private committedEpochs: number;

  constructor(
    private readonly job: TrainerJob,
    private readonly classifier: MeteredClassifier,
    private readonly meter: TrainerMeter,
    private readonly context: JobContext,
  ) {
    this.best = job.resume?.best;
    this.steps = job.resume?.steps ?? 0;
    this.committedEpochs = job.resume?.committedEpochs.length ?? 0;
  }

  isCheckpointDue(): boolean {
    return this.context.isLeaving() || performance.now() - this.savedAt >= this.job.checkpointMs;
  }

  async tell(event: TrainingEvent): Promise<void> {
    const {meter, context} = this;
    const began = performance.now();
    if (event.kind === 'epoch' || event.kind === 'checkpoint') {
      if (event.kind === 'epoch') this.committedEpochs++;
      const partialEpoch = event.kind === 'checkpoint' ? event.partialEpoch : undefined;
      const checkpoint = await this.save(`step-${event.steps}`, this.classifier.state(), partialEpoch);
      const checkpointSeconds = secondsSince(began);
      if (event.kind === 'epoch') await context.tell({kind: 'epoch', event, spent: meter.spent, checkpoint});
      else await context.tell({kind: 'checkpoint', steps: event.steps, spent: meter.spent, checkpoint});
      if (event.kind === 'epoch') meter.committed(secondsSince(began), checkpointSeconds);
      this.savedAt = performance.now();
      return;
    }
    if (event.kind === 'step') this.steps = event.steps;
    if (event.kind === 'evaluations') meter.evaluated(event.seconds);
    const best = await this.saveBest(event);
    await context.tell({kind: 'event', event, spent: meter.spent, ...(best && {best})});
    if (event.kind === 'step') meter.step(event, event.seconds + secondsSince(began));
  }

  /** Steps behind the weights that the run keeps. */
  get keptSteps(): number {
    return this.best?.steps ?? this.steps;
  }

  /** The classifier has the weights that the run keeps. */
  async test(sets: EvaluationSet[]): Promise<void> {
    const {meter, context, committedEpochs} = this;
    const began = performance.now();
    const at = {steps: this.keptSteps, committedEpochs, signal: context.signal};
    const evaluations = await evaluate(this.classifier, sets, at);
    meter.evaluated(secondsSince(began));
    await context.tell({kind: 'tested', evaluations, spent: meter.spent});
  }

  private async saveBest(event: TrainingEvent): Promise<CheckpointFile | undefined> {
    if (event.kind !== 'evaluations' || !event.watch?.isBest) return undefined;
    const best = await this.save(`best-${event.steps}`, this.classifier.weights());
    this.best = {...best, steps: event.steps};
    return best;
  }

  private async save(name: string, tensors: NamedTensor[], partialEpoch?: PartialEpoch): Promise<CheckpointFile> {
    const began = performance.now();
    const {folder, attempt} = this.job;
    const file = join(folder, `checkpoint-attempt-${attempt}-${name}.safetensors`);
    const checkpoint = await saveCheckpoint(file, tensors, partialEpoch);
    this.meter.saved(secondsSince(began));
    return checkpoint;
  }
}

async function saveModel(
  {folder, attempt, modelFolder: tokenizerFolder}: TrainerJob,
  classifier: MeteredClassifier,
  meter: TrainerMeter,
): Promise<string> {
  const began = performance.now();
  const modelFolder = join(folder, `model-attempt-${attempt}`);
  await saveModelFolder(modelFolder, {config: classifier.config(), tensors: classifier.weights(), tokenizerFolder});
  meter.saved(secondsSince(began));
  return modelFolder;
}

const everyInstance = ({labels}: TokenizedDataset): Int32Array => Int32Array.from(labels, (_, i) => i);

const secondsSince = (began: number): number => (performance.now() - began) / 1000;
