// The catalogue of scores: a block of dynamics, or the columns of a map, in; one value an instance out. Formulas after the papers named.
import type {ColumnMetric, Criterion, DataMap, EpochMetric, InstanceMetric, LogitMetric} from './types.js';
import {dual, dynUnc, tdds} from './window-scores.js';

/** Consecutive instances over the epochs used; n instances, C classes. */
export interface ScoreBlock {
  /** [epoch][n] */
  pTrue: Float32Array[];
  /** [epoch][n] of 0 and 1 */
  isCorrect: Uint8Array[];
  numClasses: number;
  /** [epoch][n * C]; undefined where no score needs them. */
  logits?: Float32Array[];
  /** [n] gold classes; undefined where no score needs them. */
  labels?: Int32Array;
}

/** A block whose logits and labels are there, with their softmax. */
export interface LogitBlock extends ScoreBlock {
  logits: Float32Array[];
  labels: Int32Array;
  /** [epoch][n * C], in doubles. */
  probabilities: Float64Array[];
}

/** Forgetting score of an instance that was never right, as in cartography: above all counts of a training of fewer epochs. */
export const NEVER_LEARNED = 1000;

type ColumnScore = (
  map: Pick<DataMap, 'confidence' | 'variability' | 'correctness' | 'forgettingEvents' | 'epochs'>,
) => Float32Array;

const columnScores: Record<ColumnMetric, ColumnScore> = {
  variability: ({variability}) => variability.slice(),
  confidence: ({confidence}) => confidence.slice(),
  correctness: ({correctness}) => new Float32Array(correctness),
  'threshold-closeness': ({confidence}) => confidence.map(mean => mean * (1 - mean)),
  forgetting: map => forgetting(map, NEVER_LEARNED),
  // Toneva et al. 2019: each presentation of an instance that is never learnt counts.
  'forgetting-count': map => forgetting(map, map.epochs.last - map.epochs.first + 1),
  // Paul et al. 2021: the L1 distance of P from the one-hot label.
  'l1-error': ({confidence}) => confidence.map(mean => 2 * (1 - mean)),
};

function forgetting(
  {forgettingEvents, correctness}: Pick<DataMap, 'forgettingEvents' | 'correctness'>,
  neverLearned: number,
): Float32Array {
  const scores = new Float32Array(correctness.length);
  for (let i = 0; i < scores.length; i++) scores[i] = correctness[i] === 0 ? neverLearned : forgettingEvents[i];
  return scores;
}

/** Mean, or sum, over the epochs of one value an instance. */
function overEpochs(block: ScoreBlock, value: (epoch: number, i: number) => number, divisor: number): Float32Array {
  const sums = new Float64Array(block.pTrue[0].length);
  for (let e = 0; e < block.pTrue.length; e++) for (let i = 0; i < sums.length; i++) sums[i] += value(e, i);
  return Float32Array.from(sums, sum => sum / divisor);
}

/** -log p in doubles; p of 0 counts as the least float32 above it, so that the loss is at most 103.3. */
const lossOf = (p: number): number => -Math.log(Math.max(p, 2 ** -149));

const epochScores: Record<EpochMetric, (block: ScoreBlock, window: number) => Float32Array> = {
  'first-learned': ({isCorrect}) => {
    const first = new Float32Array(isCorrect[0].length).fill(isCorrect.length);
    for (let e = isCorrect.length - 1; e >= 0; e--)
      for (let i = 0; i < first.length; i++) if (isCorrect[e][i] === 1) first[i] = e;
    return first;
  },
  // Toneva et al. 2019.
  'presentations-to-learn': ({isCorrect}) => {
    const needed = new Float32Array(isCorrect[0].length);
    for (let e = 0; e < isCorrect.length; e++)
      for (let i = 0; i < needed.length; i++) if (isCorrect[e][i] === 0) needed[i] = e + 1;
    return needed;
  },
  // Seedat et al. 2022 (Data-IQ).
  'aleatoric-uncertainty': block =>
    overEpochs(block, (e, i) => block.pTrue[e][i] * (1 - block.pTrue[e][i]), block.pTrue.length),
  loss: block => overEpochs(block, (e, i) => lossOf(block.pTrue[e][i]), block.pTrue.length),
  'loss-trajectory': ({pTrue}) => {
    const width = pTrue.length;
    const rows = new Float32Array(pTrue[0].length * width);
    for (let e = 0; e < width; e++) for (let i = 0; i < pTrue[e].length; i++) rows[i * width + e] = lossOf(pTrue[e][i]);
    return rows;
  },
  'dyn-unc': ({pTrue}, window) => dynUnc(pTrue, window, pTrue.length - window + 1),
  // The released script leaves out the last window.
  'dyn-unc-released': ({pTrue}, window) => dynUnc(pTrue, window, pTrue.length - window),
  dual: ({pTrue}, window) => dual(pTrue, window),
};

const logitScores: Record<LogitMetric, (block: LogitBlock, window: number) => Float32Array> = {
  // Paul et al. 2021: the L2 distance of P from the one-hot label.
  el2n: block =>
    overEpochs(
      block,
      (e, i) => Math.sqrt(overOthers(block, e, i, squareSum, (1 - gold(block, e, i)) ** 2)),
      numEpochs(block),
    ),
  'max-margin-error': block =>
    overEpochs(block, (e, i) => overOthers(block, e, i, Math.max, 0) - gold(block, e, i), numEpochs(block)),
  'sum-margin-error': block => overEpochs(block, (e, i) => 1 - block.numClasses * gold(block, e, i), numEpochs(block)),
  // Pleiss et al. 2020, over logits.
  'area-under-margin': block => overEpochs(block, (e, i) => logitMargin(block, e, i), numEpochs(block)),
  // Zheng et al. 2023 (CCS): a sum, over probabilities.
  'accumulated-margin': block =>
    overEpochs(block, (e, i) => gold(block, e, i) - overOthers(block, e, i, Math.max, 0), 1),
  entropy: block => overEpochs(block, (e, i) => entropy(block, e, i), numEpochs(block)),
  'final-entropy': block =>
    Float32Array.from(block.labels, (_, i) => entropy(block, block.probabilities.length - 1, i)),
  tdds: ({probabilities, numClasses}, window) => tdds(probabilities, numClasses, window),
};

const numEpochs = (block: ScoreBlock): number => block.pTrue.length;
const squareSum = (sum: number, p: number): number => sum + p * p;
const gold = ({probabilities, labels, numClasses}: LogitBlock, e: number, i: number): number =>
  probabilities[e][i * numClasses + labels[i]];

/** Folds the probabilities of all classes but the gold one. */
function overOthers(
  {probabilities, labels, numClasses}: LogitBlock,
  epoch: number,
  i: number,
  fold: (before: number, p: number) => number,
  start: number,
): number {
  let value = start;
  for (let c = 0; c < numClasses; c++)
    if (c !== labels[i]) value = fold(value, probabilities[epoch][i * numClasses + c]);
  return value;
}

function logitMargin({logits, labels, numClasses}: LogitBlock, epoch: number, i: number): number {
  const row = i * numClasses;
  let other = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < numClasses; c++) if (c !== labels[i]) other = Math.max(other, logits[epoch][row + c]);
  return logits[epoch][row + labels[i]] - other;
}

/** -sum P log P in nats; 0 log 0 is 0. */
function entropy({probabilities, numClasses}: LogitBlock, epoch: number, i: number): number {
  let sum = 0;
  for (let c = 0; c < numClasses; c++) {
    const p = probabilities[epoch][i * numClasses + c];
    if (p !== 0) sum -= p * Math.log(p);
  }
  return sum;
}

/** Softmax of every row, shifted by its maximum, in doubles. */
function softmaxRows(logits: Float32Array, numClasses: number): Float64Array {
  const rows = new Float64Array(logits.length);
  for (let row = 0; row < logits.length; row += numClasses) {
    let max = logits[row];
    for (let c = 1; c < numClasses; c++) max = Math.max(max, logits[row + c]);
    let sum = 0;
    for (let c = 0; c < numClasses; c++) {
      rows[row + c] = Math.exp(logits[row + c] - max);
      sum += rows[row + c];
    }
    for (let c = 0; c < numClasses; c++) rows[row + c] /= sum;
  }
  return rows;
}

export const isColumnMetric = (metric: InstanceMetric): metric is ColumnMetric => metric in columnScores;
export const needsLogits = (metric: InstanceMetric): metric is LogitMetric => metric in logitScores;

/** Metrics that a criterion ranks by; regions and cartography's ends rank by the columns of the map. */
export function metricsOf(criterion: Criterion): InstanceMetric[] {
  if ('metric' in criterion) return [criterion.metric];
  if ('stratified' in criterion) return [criterion.stratified.metric];
  return 'clustered' in criterion ? ['loss-trajectory'] : [];
}

/** Metrics whose low end is the informative or suspicious one; of all others it is the high end. */
const lowIsInformative: readonly InstanceMetric[] = [
  'confidence',
  'correctness',
  'area-under-margin',
  'accumulated-margin',
];
export const isLowInformative = (metric: InstanceMetric): boolean => lowIsInformative.includes(metric);

/** A score that every map can be asked for. */
export const columnScore = (map: DataMap, metric: ColumnMetric): Float32Array => columnScores[metric](map);

/** The other scores of a block, [n]; the loss trajectory [n * E]. Logits and labels are there where a metric needs them. */
export function blockScores<Metric extends EpochMetric | LogitMetric>(
  block: ScoreBlock,
  metrics: readonly Metric[],
  window: number,
): Record<Metric, Float32Array> {
  let full: LogitBlock | undefined;
  const withSoftmax = () => {
    const {logits, labels, numClasses} = block;
    if (!logits || !labels) throw new Error('Logits and labels must be given for a score that needs them');
    full ??= {...block, logits, labels, probabilities: logits.map(rows => softmaxRows(rows, numClasses))};
    return full;
  };
  const entries = metrics.map(metric => [
    metric,
    needsLogits(metric)
      ? logitScores[metric](withSoftmax(), window)
      : epochScores[metric as EpochMetric](block, window),
  ]);
  return Object.fromEntries(entries);
}
