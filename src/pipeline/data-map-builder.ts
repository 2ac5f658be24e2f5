// Blocks of dynamics in, instance after instance; the columns of a data map out. Holds one block and the columns, whatever the input.
import {blockScores, type ScoreBlock} from './instance-scores.js';
import type {DataMap, EpochMetric, LogitMetric, VariabilityEstimator} from './types.js';

/** What to build, every default filled in. */
export interface MapShape {
  numInstances: number;
  /** 0-based, inclusive. */
  epochs: {first: number; last: number};
  variabilityEstimator: VariabilityEstimator;
  metrics: readonly (EpochMetric | LogitMetric)[];
  /** At most the number of epochs. */
  scoreWindow: number;
  /** Blocks must have logits and labels. */
  needsLogits: boolean;
}

export class DataMapBuilder {
  private readonly map: DataMap;
  private readonly numEpochs: number;
  private filled = 0;
  /** Of one block, in doubles. */
  private means = new Float64Array();
  private squares = new Float64Array();

  constructor(private readonly shape: MapShape) {
    const {numInstances, epochs, variabilityEstimator, metrics} = shape;
    this.numEpochs = epochs.last - epochs.first + 1;
    const width = (metric: EpochMetric | LogitMetric) => (metric === 'loss-trajectory' ? this.numEpochs : 1);
    this.map = {
      numInstances,
      epochs,
      variabilityEstimator,
      confidence: new Float32Array(numInstances),
      variability: new Float32Array(numInstances),
      correctness: new Uint32Array(numInstances),
      forgettingEvents: new Uint32Array(numInstances),
      isWrongAtLast: new Uint8Array(numInstances),
      epochMeans: Array.from({length: this.numEpochs}, () => ({pTrue: 0, accuracy: 0})),
      scores: Object.fromEntries(metrics.map(metric => [metric, new Float32Array(numInstances * width(metric))])),
    };
  }

  /** The next instances, over the epochs used. */
  add(block: ScoreBlock): void {
    const first = this.filled;
    const end = first + block.pTrue[0].length;
    this.filled = end;
    this.addMoments(block.pTrue, first, end);
    this.addCorrectness(block.isCorrect, first, end);
    const {metrics, scoreWindow} = this.shape;
    const scores = blockScores(block, metrics, scoreWindow);
    for (const metric of metrics) {
      const width = scores[metric].length / (end - first);
      this.map.scores[metric]!.set(scores[metric], first * width);
    }
  }

  /** Once every instance was added. */
  finish(): DataMap {
    const {numInstances} = this.shape;
    if (this.filled !== numInstances) throw new Error(`Blocks held ${this.filled} of ${numInstances} instances`);
    const epochMeans = this.map.epochMeans.map(({pTrue, accuracy}) => ({
      pTrue: pTrue / numInstances,
      accuracy: accuracy / numInstances,
    }));
    return {...this.map, epochMeans};
  }

  /**
   * Means as libtorch's: a sequential float32 sum and one division. Deviations in two passes over doubles, then one rounding: float32
   * moments would turn saturated instances into noise and break their ties.
   */
  private addMoments(pTrue: Float32Array[], first: number, end: number): void {
    const {numEpochs} = this;
    const n = end - first;
    if (this.means.length < n) [this.means, this.squares] = [new Float64Array(n), new Float64Array(n)];
    const {means, squares} = this;
    means.fill(0, 0, n);
    squares.fill(0, 0, n);
    const confidence = this.map.confidence.subarray(first, end);
    for (let e = 0; e < numEpochs; e++) this.map.epochMeans[e].pTrue += addColumn(pTrue[e], confidence, means);
    for (let i = 0; i < n; i++) {
      confidence[i] /= numEpochs;
      means[i] /= numEpochs;
    }
    for (const column of pTrue) addSquares(column, means, squares);
    spreads[this.shape.variabilityEstimator](squares, numEpochs, this.map.variability.subarray(first, end));
  }

  private addCorrectness(isCorrect: Uint8Array[], first: number, end: number): void {
    const correctness = this.map.correctness.subarray(first, end);
    const forgettingEvents = this.map.forgettingEvents.subarray(first, end);
    isCorrect.forEach((column, e) => {
      this.map.epochMeans[e].accuracy += addColumnOfBits(column, correctness);
      if (e > 0) countFalls(isCorrect[e - 1], column, forgettingEvents);
    });
    const last = isCorrect[this.numEpochs - 1];
    const isWrong = this.map.isWrongAtLast.subarray(first, end);
    for (let i = 0; i < isWrong.length; i++) isWrong[i] = 1 - last[i];
  }
}

// Loops over columns, each a function of its own, which the compiler can make tight.

/** Adds to the float32 and to the double sums; the column's own sum. */
function addColumn(column: Float32Array, sums32: Float32Array, sums: Float64Array): number {
  let total = 0;
  for (let i = 0; i < column.length; i++) {
    const p = column[i];
    sums32[i] += p;
    sums[i] += p;
    total += p;
  }
  return total;
}

function addSquares(column: Float32Array, means: Float64Array, squares: Float64Array): void {
  for (let i = 0; i < column.length; i++) {
    const difference = column[i] - means[i];
    squares[i] += difference * difference;
  }
}

function addColumnOfBits(column: Uint8Array, sums: Uint32Array): number {
  let total = 0;
  for (let i = 0; i < column.length; i++) {
    sums[i] += column[i];
    total += column[i];
  }
  return total;
}

/** Counts where 1 is followed by 0. */
function countFalls(before: Uint8Array, after: Uint8Array, counts: Uint32Array): void {
  for (let i = 0; i < before.length; i++) counts[i] += before[i] & (after[i] ^ 1);
}

/** Spreads from the sums of squared differences to the means over E epochs; 0 / 0 is NaN where they are not defined. */
const spreads: Record<VariabilityEstimator, (squares: Float64Array, numEpochs: number, spread: Float32Array) => void> =
  {
    sample: (squares, numEpochs, spread) => {
      for (let i = 0; i < spread.length; i++) spread[i] = Math.sqrt(squares[i] / (numEpochs - 1));
    },
    population: (squares, numEpochs, spread) => {
      for (let i = 0; i < spread.length; i++) spread[i] = Math.sqrt(squares[i] / numEpochs);
    },
    'active-bias-ci': (squares, numEpochs, spread) => {
      for (let i = 0; i < spread.length; i++) {
        const variance = squares[i] / numEpochs;
        spread[i] = Math.sqrt(variance + variance ** 2 / (numEpochs - 1));
      }
    },
  };
