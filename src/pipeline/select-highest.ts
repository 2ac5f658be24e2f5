// Scores and a share in; the instances with the highest scores out, by any rule.
import {hasNaN, valuesAt} from './order-statistics.js';
import type {SelectionRule, SelectionSize, Subset} from './types.js';

export type Selected = Pick<Subset, 'instances' | 'threshold' | 'thresholdTieCount' | 'doTiesDecide'>;

const none: Selected = {
  instances: new Int32Array(),
  threshold: undefined,
  thresholdTieCount: 0,
  doTiesDecide: false,
};

/** Instances that a share or a count asks for: round(q N), halves up. */
export function requestedCount({fraction, count}: SelectionSize, numInstances: number): number {
  return count === undefined ? Math.round(fraction * numInstances) : Math.min(count, numInstances);
}

/** What a rule takes where exactly so many are taken; cartography's head has one row more than floor(q N). */
export function exactCount(size: SelectionSize, numInstances: number, rule: SelectionRule): number {
  if (rule !== 'cartography-head') return requestedCount(size, numInstances);
  return Math.min(numInstances, (size.count ?? Math.floor(size.fraction * numInstances)) + 1);
}

/** Instances ascending. Any NaN score makes the selection empty: there is no ranking then. */
export function selectHighest(scores: Float32Array, size: SelectionSize, rule: SelectionRule): Selected {
  const numScores = scores.length;
  if (numScores === 0 || hasNaN(scores)) return none;
  if (rule === 'upstream-quantile') {
    const threshold = quantile(scores, size.count === undefined ? size.fraction : Math.min(1, size.count / numScores));
    const ties = tieCount(scores, threshold);
    // Between two different scores there are no ties; a score of its own is one tie, and left out by definition.
    return {instances: indicesAbove(scores, threshold, 0), ...edge(threshold, ties), doTiesDecide: ties > 1};
  }
  const count = exactCount(size, numScores, rule);
  if (count === 0) return none;
  const [threshold] = valuesAt(scores, [numScores - count]);
  let numAbove = 0;
  for (let i = 0; i < numScores; i++) if (scores[i] > threshold) numAbove++;
  const ties = tieCount(scores, threshold);
  const instances = indicesAbove(scores, threshold, count - numAbove);
  return {instances, ...edge(threshold, ties), doTiesDecide: count - numAbove < ties};
}

/**
 * The (1 - q) quantile as libtorch computes it: the rank in float32, then linear interpolation with one rounding, from the nearer
 * end. float64 ranks differ by one instance at some sizes.
 */
function quantile(scores: Float32Array, fraction: number): number {
  const last = scores.length - 1;
  // From 2^24 scores on, float32 may round the last place up.
  const rank = Math.min(last, Math.fround(Math.fround(1 - fraction) * Math.fround(last)));
  const [low, high] = valuesAt(scores, [Math.floor(rank), Math.ceil(rank)]);
  const weight = Math.fround(rank - Math.floor(rank));
  const gap = Math.fround(high - low);
  return Math.fround(weight < 0.5 ? low + weight * gap : high - gap * (1 - weight));
}

/** Indices, ascending, of the scores above the threshold and of the first so many that equal it. */
function indicesAbove(scores: Float32Array, threshold: number, numTies: number): Int32Array {
  const found = new Int32Array(scores.length);
  let count = 0;
  let tiesLeft = numTies;
  for (let i = 0; i < scores.length; i++)
    if (scores[i] > threshold || (scores[i] === threshold && tiesLeft-- > 0)) found[count++] = i;
  return found.slice(0, count);
}

function tieCount(scores: Float32Array, threshold: number): number {
  let count = 0;
  for (let i = 0; i < scores.length; i++) if (scores[i] === threshold) count++;
  return count;
}

/** A threshold that is not finite is none. */
function edge(threshold: number, ties: number): Pick<Selected, 'threshold' | 'thresholdTieCount'> {
  return Number.isFinite(threshold)
    ? {threshold, thresholdTieCount: ties}
    : {threshold: undefined, thresholdTieCount: 0};
}
