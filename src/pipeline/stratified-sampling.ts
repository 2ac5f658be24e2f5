// Hardness and a budget in; a coverage-centric choice of instances out (CCS, Zheng et al. 2023, arXiv 2210.15809).
import {permutation, type RandomStream} from '../random.js';
import {ascendingOrder, hasNaN} from './order-statistics.js';

export interface Stratification {
  /** Share of all instances, the hardest, that is left out first; [0, 1). */
  hardestShareDropped: number;
  /** Strata of equal width between the least and the greatest hardness that are left; 50 in CCS. */
  numStrata: number;
  /** Instances to choose. */
  count: number;
}

/** Ascending; fewer than asked for where the hardest share leaves fewer. Empty where a hardness is NaN or infinite. */
export function selectStratified(
  hardness: Float32Array,
  {hardestShareDropped, numStrata, count}: Stratification,
  random: RandomStream,
): Int32Array {
  if (hasNaN(hardness)) return new Int32Array();
  const numKept = hardness.length - Math.floor(hardestShareDropped * hardness.length);
  const kept = Int32Array.from(ascendingOrder(hardness).subarray(0, numKept)).sort();
  return sampleGroups(kept, stratumOf(hardness, kept, numStrata), numStrata, count, random);
}

/** Stratum of each instance, the greatest hardness in the last one. */
function stratumOf(hardness: Float32Array, kept: Int32Array, numStrata: number): Int32Array {
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  for (const i of kept) {
    least = Math.min(least, hardness[i]);
    greatest = Math.max(greatest, hardness[i]);
  }
  const width = (greatest - least) / numStrata;
  return kept.map(i => (width > 0 ? Math.min(numStrata - 1, Math.floor((hardness[i] - least) / width)) : 0));
}

/**
 * So many of the instances in each group as its budget says, drawn at random; ascending. groups: of instances[i], 0 to numGroups - 1.
 */
export function sampleGroups(
  instances: Int32Array,
  groups: ArrayLike<number>,
  numGroups: number,
  count: number,
  random: RandomStream,
): Int32Array {
  const sizes = new Array<number>(numGroups).fill(0);
  for (let at = 0; at < instances.length; at++) sizes[groups[at]]++;
  const left = equalBudgets(sizes, count);
  const taken: number[] = [];
  for (const at of permutation(instances.length, random)) if (left[groups[at]]-- > 0) taken.push(instances[at]);
  return Int32Array.from(taken).sort();
}

/** Shares a budget out equally: the smallest group first, each at most its size, what it leaves to those after it. */
export function equalBudgets(sizes: readonly number[], count: number): number[] {
  const budgets = new Array<number>(sizes.length).fill(0);
  const smallestFirst = sizes.map((_, group) => group).sort((a, b) => sizes[a] - sizes[b] || a - b);
  let left = count;
  smallestFirst.forEach((group, at) => {
    budgets[group] = Math.min(sizes[group], Math.floor(left / (sizes.length - at)));
    left -= budgets[group];
  });
  return budgets;
}
