// Scores and a share in; the instances with the highest scores out, by either rule.
import type {SelectionRule, Subset} from './types.js';

/** Instances ascending. Any NaN score makes the selection empty: there is no ranking then. */
export function selectHighest(
  scores: Float32Array,
  fraction: number,
  rule: SelectionRule,
): Pick<Subset, 'instances' | 'threshold' | 'thresholdTieCount'> {
  const ascending = scores.slice().sort();
  const numScores = scores.length;
  const none = {instances: new Int32Array(), threshold: undefined, thresholdTieCount: 0};
  if (numScores === 0 || Number.isNaN(ascending[numScores - 1])) return none;

  if (rule === 'upstream-quantile') {
    const threshold = quantile(ascending, fraction);
    return {instances: indicesWhere(scores, score => score > threshold), ...edge(scores, threshold)};
  }
  const count = Math.min(numScores, Math.round(fraction * numScores));
  if (count === 0) return none;
  const threshold = ascending[numScores - count];
  let tiesLeft = count - ascending.reduce((above, score) => above + (score > threshold ? 1 : 0), 0);
  const instances = indicesWhere(scores, score => score > threshold || (score === threshold && tiesLeft-- > 0));
  return {instances, ...edge(scores, threshold)};
}

/**
 * The (1 - q) quantile as libtorch computes it: the rank in float32, then linear interpolation with one rounding, from the nearer
 * end. float64 ranks differ by one instance at some sizes.
 */
function quantile(ascending: Float32Array, fraction: number): number {
  const rank = Math.fround(Math.fround(1 - fraction) * Math.fround(ascending.length - 1));
  const low = ascending[Math.floor(rank)];
  const high = ascending[Math.ceil(rank)];
  const weight = Math.fround(rank - Math.floor(rank));
  const gap = Math.fround(high - low);
  return Math.fround(weight < 0.5 ? low + weight * gap : high - gap * (1 - weight));
}

function indicesWhere(scores: Float32Array, isSelected: (score: number) => boolean): Int32Array {
  const found = new Int32Array(scores.length);
  let count = 0;
  for (let i = 0; i < scores.length; i++) if (isSelected(scores[i])) found[count++] = i;
  return found.slice(0, count);
}

function edge(scores: Float32Array, threshold: number): Pick<Subset, 'threshold' | 'thresholdTieCount'> {
  if (!Number.isFinite(threshold)) return {threshold: undefined, thresholdTieCount: 0};
  return {threshold, thresholdTieCount: indicesWhere(scores, score => score === threshold).length};
}
