// A model and texts in; how fast this device is with them, from some real steps and predictions, out. Runs in the child process.
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {evaluationOrder, padBatch, textLengths} from '../data/batches.js';
import type {Batch} from '../data/types.js';
import {evaluationBatchSize} from '../pipeline/evaluate.js';
import {fineTune} from '../pipeline/fine-tune.js';
import type {Rates} from '../pipeline/predict-cost.js';
import type {EvaluationSet, TokenizedDataset} from '../pipeline/types.js';
import {saveCheckpoint} from './checkpoints.js';
import type {MeteredClassifier} from './metered-classifier.js';
import {type LoadClassifier, prepare} from './train-job.js';
import {TrainerMeter} from './trainer-meter.js';
import type {MeasureJob} from './trainer-protocol.js';

/** The first step and the first prediction make graphs and do not count. */
const steps = {least: 5, most: 40, seconds: 8};
const predictions = {most: 9, seconds: 4};

/** Throws as a training does. What is trained is thrown away. */
export async function measureRates(job: MeasureJob, load: LoadClassifier, signal: AbortSignal): Promise<Rates> {
  const meter = new TrainerMeter();
  const {dataset, evaluationSets, testSets, classifier} = await prepare(job, load, signal, meter);
  try {
    await takeSteps(job, classifier, dataset, meter, signal);
    await predict(classifier, [...evaluationSets, ...testSets], signal);
    const checkpointSeconds = await saveOnce(classifier, meter);
    const rates = meter.rates();
    if (!rates) throw new Error('A measurement made fewer than two steps');
    // At the end of a run the weights alone are written, a third of what a checkpoint holds.
    return {...rates, onceSeconds: rates.onceSeconds + checkpointSeconds / 3};
  } finally {
    classifier.dispose();
  }
}

/** Of the run's own first epoch. */
async function takeSteps(
  {spec, instances}: MeasureJob,
  classifier: MeteredClassifier,
  dataset: TokenizedDataset,
  meter: TrainerMeter,
  signal: AbortSignal,
): Promise<void> {
  const trained = instances ?? Int32Array.from(dataset.labels, (_, i) => i);
  const options = {...spec, totalSteps: steps.most, evaluationSets: [], signal};
  let began: number | undefined;
  for await (const event of fineTune(classifier, dataset, trained, options)) {
    if (event.kind !== 'step') continue;
    meter.step(event, event.seconds);
    began ??= performance.now();
    if (event.steps > steps.least && secondsSince(began) > steps.seconds) return;
  }
}

/** Batches of all lengths, evenly taken of all that an evaluation has. */
async function predict(classifier: MeteredClassifier, sets: EvaluationSet[], signal: AbortSignal): Promise<void> {
  const batches = sets.flatMap(({dataset}) => batchesOf(dataset));
  const step = Math.max(1, batches.length / predictions.most);
  let began: number | undefined;
  for (let place = 0; place < batches.length; place += step) {
    signal.throwIfAborted();
    const batch = batches[Math.floor(place)]();
    // One set of a single batch would leave nothing but the first.
    if (began === undefined) await classifier.predict(batch);
    began ??= performance.now();
    await classifier.predict(batch);
    if (secondsSince(began) > predictions.seconds) return;
  }
}

function batchesOf(dataset: TokenizedDataset): (() => Batch)[] {
  const order = evaluationOrder(textLengths(dataset));
  return Array.from({length: Math.ceil(order.length / evaluationBatchSize)}, (_, i) => () => {
    return padBatch(dataset, order.slice(i * evaluationBatchSize, (i + 1) * evaluationBatchSize));
  });
}

async function saveOnce(classifier: MeteredClassifier, meter: TrainerMeter): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'ftft-measure-'));
  try {
    const began = performance.now();
    await saveCheckpoint(join(folder, 'checkpoint.safetensors'), classifier.state());
    const seconds = secondsSince(began);
    meter.committed(seconds, seconds);
    return seconds;
  } finally {
    await rm(folder, {recursive: true, force: true});
  }
}

const secondsSince = (began: number): number => (performance.now() - began) / 1000;
