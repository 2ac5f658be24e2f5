// What recording p_true costs: the training loop and the same steps without it take turns, once with a real model and once with one that
// does nothing, so that what is left is the recording.
import {epochBatches} from '../src/data/batches.js';
import type {Batch, TokenizedDataset} from '../src/data/types.js';
import type {Classifier} from '../src/model/classifier.js';
import {fineTune} from '../src/pipeline/fine-tune.js';
import type {TrainingOptions} from '../src/pipeline/types.js';
import {fakeClassifier} from './model/classifier.js';
import {type ShapeName, shapes} from './model/shapes.js';
import {type Measurement, measured, type Row} from './report/results.js';
import {median} from './statistics.js';
import {syntheticBatch} from './synthetic-batch.js';
import {secondsOf, takeTurns} from './take-turns.js';
import {targets} from './targets.js';
import type {Precision} from './workers/protocol.js';

export interface DynamicsOptions {
  precision: Precision;
  /** Steps of MiniLM; of the toy, whose steps are short, twenty times as many. */
  rounds: number;
}

interface Case {
  shape: ShapeName;
  rows: number;
  length: number;
  rounds: number;
}

const numClasses = 3;
const warmUps = 2;
const learningRate = 5e-5;
/** Steps of the model that does nothing, whose time is far below a clock's jitter. */
const numEmptySteps = 2000;

export async function benchDynamics({precision, rounds}: DynamicsOptions): Promise<Measurement> {
  const cases: Case[] = [
    {shape: 'minilm', rows: 32, length: 128, rounds},
    {shape: 'toy', rows: 8, length: 16, rounds: 20 * rounds},
  ];
  const rows: Row[] = [];
  for (const one of cases) rows.push(...(await costRows(one, precision)));
  const notes = {cost: 'the median difference of a round, in percent of the step of that model without recording'};
  return {title: 'Cost of recording p_true', rows, notes, versions: {}};
}

async function costRows({shape, rows, length, rounds}: Case, precision: Precision): Promise<Row[]> {
  const {title, config} = shapes[shape];
  const dataset = syntheticDataset(rows * (rounds + warmUps + 1), length, Number(config.vocab_size));
  const classifier = () => fakeClassifier({config, numClasses, precision, compiled: true});
  const [first, second] = [await classifier(), await classifier()];
  // Where a model lies in memory makes it quicker or slower than its twin: each takes both parts.
  const halves = [await besideEachOther(first, second, dataset, rows, {rounds, warmUps})];
  halves.push(await besideEachOther(second, first, dataset, rows, {rounds, warmUps}));
  const real = {recorded: halves.flatMap(({recorded}) => recorded), without: halves.flatMap(({without}) => without)};
  first.dispose();
  second.dispose();
  const empty = await besideEachOther(idle, idle, dataset, rows, {rounds: numEmptySteps, warmUps: 100});
  const row = (what: string, {recorded, without}: {recorded: number[]; without: number[]}): Row => {
    // Both of a round met the same machine.
    const difference = median(recorded.map((value, i) => value - without[i]));
    const value = (100 * difference) / median(real.without);
    return {
      what,
      ours: measured('with p_true', recorded),
      peer: measured('without', without),
      figure: {name: 'cost', value, unit: 'percent', target: targets.dynamics},
    };
  };
  const what = `${title}, ${rows} x ${length}, ${precision}`;
  return [row(what, real), row(`${what}, the loop without its model`, empty)];
}

/** Seconds a step, batches made included. */
async function besideEachOther(
  recording: Classifier,
  plain: Classifier,
  dataset: TokenizedDataset,
  batchSize: number,
  {rounds, warmUps}: {rounds: number; warmUps: number},
): Promise<{recorded: number[]; without: number[]}> {
  const instances = Int32Array.from({length: dataset.labels.length}, (_, i) => i);
  const options: TrainingOptions = {
    totalSteps: 10 * (rounds + warmUps),
    batchSize,
    learningRate,
    warmupRatio: 0,
    seed: 0,
    evaluationIntervalSteps: 1,
    evaluationSets: [],
  };
  const training = fineTune(recording, dataset, instances, options);
  const batches = endlessBatches(dataset, instances, batchSize);
  let step = 0;
  return takeTurns(
    {
      recorded: async () => [
        await secondsOf(async () => {
          for (let next = await training.next(); !next.done && next.value.kind !== 'step'; )
            next = await training.next();
        }),
      ],
      without: async () => [
        await secondsOf(() => plain.trainStep(batches.next().value as Batch, {step: step++, learningRate})),
      ],
    },
    {rounds, warmUps},
  );
}

function* endlessBatches(dataset: TokenizedDataset, instances: Int32Array, batchSize: number): Generator<Batch> {
  for (let epoch = 0; ; epoch++) yield* epochBatches(dataset, instances, {batchSize, seed: 0, epoch});
}

/** Answers at once. */
const idle: Classifier = {
  numClasses,
  report: {used: [], ignored: [], newlyInitialised: []},
  trainStep: async ({batchSize}) => ({loss: 1, gradNorm: 1, logits: new Float32Array(batchSize * numClasses)}),
  predict: async ({batchSize}) => new Float32Array(batchSize * numClasses),
  weights: () => [],
  config: () => ({}),
  state: () => [],
  restore: () => {},
  dispose: () => {},
};

function syntheticDataset(count: number, length: number, vocabSize: number): TokenizedDataset {
  const {ids, labels} = syntheticBatch({rows: count, length, vocabSize, numClasses, seed: 0});
  return {
    inputIds: Int32Array.from(ids.flat()),
    offsets: Int32Array.from({length: count + 1}, (_, i) => i * length),
    secondStarts: new Int32Array(count).fill(length),
    labels: Int32Array.from(labels),
    numClasses,
    padTokenId: 0,
  };
}
