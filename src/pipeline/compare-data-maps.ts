// Two data maps of the same instances in; how far their selections, regions and columns agree out.
import {sharedCount} from './diagnose.js';
import {hasNaN, meanRanks} from './order-statistics.js';
import {type RegionColumns, rankedRegion} from './select-subset.js';
import type {Selection} from './types.js';

/** A map, what was selected on it, and how. Its regions are taken at the selection's share and by its rule. */
export interface ComparedMap extends RegionColumns {
  selection: Selection;
  /** Ascending. */
  selected: Int32Array;
}

/** How far two subsets A and B agree; ratios with an empty denominator are NaN. */
export interface SubsetOverlap {
  count: number;
  otherCount: number;
  sharedCount: number;
  /** |A and B| / |A| */
  overlap: number;
  /** |A and B| / |B| */
  otherOverlap: number;
  /** |A and B| / |A or B| */
  jaccard: number;
  /** |B| / N */
  chanceOverlap: number;
}

export const regionCells = ['ambiguous', 'hard-to-learn', 'both', 'easy'] as const;

export interface DataMapComparison {
  numInstances: number;
  selected: SubsetOverlap;
  ambiguous: SubsetOverlap;
  hardToLearn: SubsetOverlap;
  /** Spearman's, ties given their mean rank; NaN where a side is constant or not defined. */
  confidenceSpearman: number;
  variabilitySpearman: number;
  easyRatio: number;
  otherEasyRatio: number;
  agreement: RegionAgreement;
}

/** Each instance is in one of regionCells on either map: ambiguous alone, hard-to-learn alone, both, neither. */
export interface RegionAgreement {
  /** [first map's cell][second map's cell], row after row. */
  counts: number[];
  /** Share of the instances in the same cell on both. */
  ratio: number;
  /** Cohen's kappa: the same beyond chance, 1 at most; NaN where both maps have everything in one cell. */
  kappa: number;
}

export function compareDataMaps(one: ComparedMap, other: ComparedMap): DataMapComparison {
  const {numInstances} = one;
  const [regions, otherRegions] = [one, other].map(map => ({
    ambiguous: rankedRegion(map, 'ambiguous', map.selection).instances,
    hard: rankedRegion(map, 'hard-to-learn', map.selection).instances,
  }));
  const [cells, otherCells] = [regions, otherRegions].map(({ambiguous, hard}) =>
    cellsOf(numInstances, ambiguous, hard),
  );
  const agreement = agreementOf(cells, otherCells);
  const shareOfEasy = (counts: number[]) => counts.reduce((sum, count) => sum + count, 0) / numInstances;
  return {
    numInstances,
    selected: overlapOf(one.selected, other.selected, numInstances),
    ambiguous: overlapOf(regions.ambiguous, otherRegions.ambiguous, numInstances),
    hardToLearn: overlapOf(regions.hard, otherRegions.hard, numInstances),
    confidenceSpearman: spearman(one.confidence, other.confidence),
    variabilitySpearman: spearman(one.variability, other.variability),
    easyRatio: shareOfEasy(agreement.counts.slice(-regionCells.length)),
    otherEasyRatio: shareOfEasy(agreement.counts.filter((_, at) => at % regionCells.length === regionCells.length - 1)),
    agreement,
  };
}

export function overlapOf(one: Int32Array, other: Int32Array, numInstances: number): SubsetOverlap {
  const shared = sharedCount(one, other);
  return {
    count: one.length,
    otherCount: other.length,
    sharedCount: shared,
    overlap: shared / one.length,
    otherOverlap: shared / other.length,
    jaccard: shared / (one.length + other.length - shared),
    chanceOverlap: other.length / numInstances,
  };
}

/** Index into regionCells of each instance. */
function cellsOf(numInstances: number, ambiguous: Int32Array, hard: Int32Array): Uint8Array {
  const cells = new Uint8Array(numInstances).fill(regionCells.indexOf('easy'));
  for (const i of ambiguous) cells[i] = regionCells.indexOf('ambiguous');
  for (const i of hard) cells[i] = regionCells.indexOf(cells[i] === 0 ? 'both' : 'hard-to-learn');
  return cells;
}

function agreementOf(cells: Uint8Array, otherCells: Uint8Array): RegionAgreement {
  const n = regionCells.length;
  const counts = new Array<number>(n * n).fill(0);
  for (let i = 0; i < cells.length; i++) counts[n * cells[i] + otherCells[i]]++;
  const shares = counts.map(count => count / cells.length);
  let same = 0;
  let byChance = 0;
  for (let cell = 0; cell < n; cell++) {
    same += shares[n * cell + cell];
    let [row, column] = [0, 0];
    for (let at = 0; at < n; at++) {
      row += shares[n * cell + at];
      column += shares[n * at + cell];
    }
    byChance += row * column;
  }
  return {counts, ratio: same, kappa: (same - byChance) / (1 - byChance)};
}

/** Pearson's correlation of the ranks. */
export function spearman(one: Float32Array, other: Float32Array): number {
  if (hasNaN(one) || hasNaN(other)) return Number.NaN;
  const [ranks, otherRanks] = [meanRanks(one), meanRanks(other)];
  const mean = (ranks.length + 1) / 2;
  let [products, squares, otherSquares] = [0, 0, 0];
  for (let i = 0; i < ranks.length; i++) {
    const [difference, otherDifference] = [ranks[i] - mean, otherRanks[i] - mean];
    products += difference * otherDifference;
    squares += difference ** 2;
    otherSquares += otherDifference ** 2;
  }
  return products / Math.sqrt(squares * otherSquares);
}
