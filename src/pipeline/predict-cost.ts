// The texts' lengths, a plan of training and how fast a device is in; what the training will take out.
import {epochOrder, evaluationOrder} from '../data/batches.js';
import {type EncoderShape, forwardFlops, longestOf, trainingFlops} from './cost.js';
import {evaluationBatchSize} from './evaluate.js';
import {stepsPerEpoch} from './schedule.js';

/** Seconds of n batches of so many operations altogether: n * each + operations * perFlop. */
export interface Rate {
  each: number;
  perFlop: number;
}

/** How fast a device is with a model. */
export interface Rates {
  /** Of a training step, all that the loop does with it. */
  step: Rate;
  /** Of a batch of an evaluation; undefined where none was made. */
  prediction?: Rate;
  /** Of what the end of an epoch takes: its checkpoint. */
  epochSeconds: number;
  /** Of what happens once: the process, the weights, the first step's graph, the model's files. */
  onceSeconds: number;
}

/** All that the work of a training depends on. */
export interface WorkPlan {
  shape: EncoderShape;
  /** Tokens of each instance of the train split. */
  lengths: Int32Array;
  /** Trained instances, ascending. */
  instances: Int32Array;
  batchSize: number;
  totalSteps: number;
  seed: number;
  /** Tokens of each instance of each evaluation set. */
  evaluationSets: Int32Array[];
  numRounds: number;
  /** The same of each set that is evaluated once. */
  testSets?: Int32Array[];
}

/** What is to be done; tokens: with padding. */
export interface Work {
  steps: number;
  instances: number;
  tokens: number;
  realTokens: number;
  trainingFlops: number;
  wholeEpochs: number;
  /** Batches and operations of all rounds of evaluation. */
  predictions: number;
  predictionFlops: number;
}

/** Whole epochs differ in nothing but their padding: it is that of the first. */
export function planWork(plan: WorkPlan): Work {
  const {instances, batchSize, totalSteps, numRounds} = plan;
  const epochSteps = stepsPerEpoch(instances.length, batchSize);
  const wholeEpochs = Math.floor(totalSteps / epochSteps);
  const whole = wholeEpochs === 0 ? nothing : countSteps(plan, 0, epochSteps);
  const rest = countSteps(plan, wholeEpochs, totalSteps - wholeEpochs * epochSteps);
  const total = (key: keyof StepCounts) => wholeEpochs * whole[key] + rest[key];
  const round = countRound(plan.shape, plan.evaluationSets);
  const test = countRound(plan.shape, plan.testSets ?? []);
  return {
    steps: totalSteps,
    instances: total('instances'),
    tokens: total('tokens'),
    realTokens: total('realTokens'),
    trainingFlops: total('flops'),
    wholeEpochs,
    predictions: numRounds * round.batches + test.batches,
    predictionFlops: numRounds * round.flops + test.flops,
  };
}

/** Undefined where it has evaluations and the rates know of none. */
export function predictSeconds(work: Work, rates: Rates): number | undefined {
  const {step, prediction, epochSeconds, onceSeconds} = rates;
  if (work.predictions > 0 && !prediction) return undefined;
  const training = work.steps * step.each + work.trainingFlops * step.perFlop;
  const evaluation = prediction ? work.predictions * prediction.each + work.predictionFlops * prediction.perFlop : 0;
  return onceSeconds + training + evaluation + work.wholeEpochs * epochSeconds;
}

/** Least squares over batches of different size, with neither a negative start nor a negative slope. */
export class RateFit {
  private count = 0;
  private flopsSum = 0;
  private secondsSum = 0;
  private squares = 0;
  private products = 0;

  add(flops: number, seconds: number): void {
    this.count++;
    this.flopsSum += flops;
    this.secondsSum += seconds;
    this.squares += flops * flops;
    this.products += flops * seconds;
  }

  /** 0 before the first. */
  get meanSeconds(): number {
    return this.count === 0 ? 0 : this.secondsSum / this.count;
  }

  /** Undefined before the first. */
  get rate(): Rate | undefined {
    const {count, flopsSum, secondsSum} = this;
    if (count === 0) return undefined;
    const variance = this.squares - flopsSum ** 2 / count;
    const proportional = flopsSum > 0 ? secondsSum / flopsSum : 0;
    // Batches that hardly differ tell nothing of the slope: all of the time is then taken to grow with the operations.
    const isFlat = variance <= (leastSpread * flopsSum) ** 2 / count;
    const slope = isFlat ? proportional : (this.products - (flopsSum * secondsSum) / count) / variance;
    const perFlop = Math.min(Math.max(slope, 0), proportional);
    return {each: (secondsSum - perFlop * flopsSum) / count, perFlop};
  }
}

/** Relative standard deviation of the operations. */
const leastSpread = 0.02;

interface StepCounts {
  instances: number;
  tokens: number;
  realTokens: number;
  flops: number;
}

const nothing: StepCounts = {instances: 0, tokens: 0, realTokens: 0, flops: 0};

/** The first steps of an epoch. */
function countSteps(
  {shape, lengths, instances, batchSize, seed}: WorkPlan,
  epoch: number,
  numSteps: number,
): StepCounts {
  if (numSteps === 0) return nothing;
  const flopsOf = trainingFlops(shape);
  const order = epochOrder(instances, seed, epoch);
  const counts = {...nothing};
  for (let step = 0; step < numSteps; step++) {
    const batch = order.subarray(step * batchSize, (step + 1) * batchSize).map(instance => lengths[instance]);
    counts.instances += batch.length;
    counts.tokens += batch.length * longestOf(batch);
    counts.realTokens += batch.reduce((sum, length) => sum + length, 0);
    counts.flops += flopsOf(batch);
  }
  return counts;
}

function countRound(shape: EncoderShape, evaluationSets: Int32Array[]): {batches: number; flops: number} {
  const flopsOf = forwardFlops(shape);
  let batches = 0;
  let flops = 0;
  for (const lengths of evaluationSets) {
    const sorted = evaluationOrder(lengths).map(instance => lengths[instance]);
    for (let start = 0; start < sorted.length; start += evaluationBatchSize) {
      batches++;
      flops += flopsOf(sorted.subarray(start, start + evaluationBatchSize));
    }
  }
  return {batches, flops};
}
