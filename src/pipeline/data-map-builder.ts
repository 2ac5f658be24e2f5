// Blocks of dynamics in, instance after instance; the columns of a data map out. Holds one block and the columns, whatever the input.
import {CorrectnessCounter} from './correctness-counter.js';
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
  /** Of one part, in doubles. */
  private means = new Float64Array();
  private squares = new Float64Array();
  /** Of two epochs. */
  private readonly totals = new Float64Array(2);
  private readonly counter = new CorrectnessCounter();

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

  /** The next instances: those from..to of the columns, over the epochs used. */
  add(columns: ScoreBlock, from = 0, to = columns.pTrue[0].length): void {
    const part: Part = {from, count: to - from, at: this.filled};
    this.filled += part.count;
    this.addMoments(columns.pTrue, part);
    this.addCorrectness(columns.isCorrect, part);
    const {metrics, scoreWindow} = this.shape;
    if (metrics.length === 0) return;
    const scores = blockScores(blockOf(columns, part), metrics, scoreWindow);
    for (const metric of metrics) {
      const width = scores[metric].length / part.count;
      this.map.scores[metric]!.set(scores[metric], part.at * width);
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
  private addMoments(pTrue: Float32Array[], part: Part): void {
    const {numEpochs, map} = this;
    if (this.means.length < part.count) {
      this.means = new Float64Array(part.count);
      this.squares = new Float64Array(part.count);
    }
    const {means, squares} = this;
    means.fill(0);
    squares.fill(0);
    // Two epochs at a time: their sums are loaded and stored half as often.
    for (let e = 0; e + 1 < numEpochs; e += 2) {
      addTwo(pTrue[e], pTrue[e + 1], part, map.confidence, means, this.totals);
      map.epochMeans[e].pTrue += this.totals[0];
      map.epochMeans[e + 1].pTrue += this.totals[1];
    }
    const last = numEpochs - 1;
    if (numEpochs % 2 === 1) map.epochMeans[last].pTrue += addColumn(pTrue[last], part, map.confidence, means);
    divide(map.confidence, means, part, numEpochs);
    for (let e = 0; e + 1 < numEpochs; e += 2) addTwoSquares(pTrue[e], pTrue[e + 1], part, means, squares);
    if (numEpochs % 2 === 1) addSquares(pTrue[last], part, means, squares);
    spreads[this.shape.variabilityEstimator](squares, numEpochs, map.variability, part);
  }

  private addCorrectness(isCorrect: Uint8Array[], part: Part): void {
    const {numEpochs, map, counter} = this;
    for (let e = 0; e < numEpochs; e++) map.epochMeans[e].accuracy += counter.add(isCorrect[e], part);
    counter.finish(map, part);
  }
}

/** So many instances, from this place of the columns on; at: their place on the map. */
interface Part {
  from: number;
  count: number;
  at: number;
}

function blockOf({pTrue, isCorrect, logits, labels, numClasses}: ScoreBlock, {from, count}: Part): ScoreBlock {
  const end = from + count;
  return {
    pTrue: pTrue.map(column => column.subarray(from, end)),
    isCorrect: isCorrect.map(column => column.subarray(from, end)),
    logits: logits?.map(rows => rows.subarray(from * numClasses, end * numClasses)),
    labels: labels?.subarray(from, end),
    numClasses,
  };
}

// Loops over columns, each a function of its own, which the compiler can make tight; places instead of subarrays, which cost more to
// make than a thousand additions.

/** Adds to the float32 and to the double sums; the column's own sum. */
function addColumn(column: Float32Array, {from, count, at}: Part, sums32: Float32Array, sums: Float64Array): number {
  let total = 0;
  for (let i = 0; i < count; i++) {
    const p = column[from + i];
    sums32[at + i] += p;
    sums[i] += p;
    total += p;
  }
  return total;
}

function addTwo(
  one: Float32Array,
  other: Float32Array,
  {from, count, at}: Part,
  sums32: Float32Array,
  sums: Float64Array,
  totals: Float64Array,
): void {
  let [total, otherTotal] = [0, 0];
  for (let i = 0; i < count; i++) {
    const p = one[from + i];
    const q = other[from + i];
    sums32[at + i] = Math.fround(sums32[at + i] + p) + q;
    sums[i] = sums[i] + p + q;
    total += p;
    otherTotal += q;
  }
  totals[0] = total;
  totals[1] = otherTotal;
}

function divide(sums32: Float32Array, sums: Float64Array, {count, at}: Part, divisor: number): void {
  for (let i = 0; i < count; i++) {
    sums32[at + i] /= divisor;
    sums[i] /= divisor;
  }
}

function addSquares(column: Float32Array, {from, count}: Part, means: Float64Array, squares: Float64Array): void {
  for (let i = 0; i < count; i++) {
    const difference = column[from + i] - means[i];
    squares[i] += difference * difference;
  }
}

function addTwoSquares(
  one: Float32Array,
  other: Float32Array,
  {from, count}: Part,
  means: Float64Array,
  squares: Float64Array,
): void {
  for (let i = 0; i < count; i++) {
    const difference = one[from + i] - means[i];
    const otherDifference = other[from + i] - means[i];
    squares[i] = squares[i] + difference * difference + otherDifference * otherDifference;
  }
}

type Spread = (squares: Float64Array, numEpochs: number, spread: Float32Array, part: Part) => void;

/** Spreads from the sums of squared differences to the means over E epochs; 0 / 0 is NaN where they are not defined. */
const spreads: Record<VariabilityEstimator, Spread> = {
  sample: (squares, numEpochs, spread, {count, at}) => {
    for (let i = 0; i < count; i++) spread[at + i] = Math.sqrt(squares[i] / (numEpochs - 1));
  },
  population: (squares, numEpochs, spread, {count, at}) => {
    for (let i = 0; i < count; i++) spread[at + i] = Math.sqrt(squares[i] / numEpochs);
  },
  'active-bias-ci': (squares, numEpochs, spread, {count, at}) => {
    for (let i = 0; i < count; i++) {
      const variance = squares[i] / numEpochs;
      spread[at + i] = Math.sqrt(variance + variance ** 2 / (numEpochs - 1));
    }
  },
};
