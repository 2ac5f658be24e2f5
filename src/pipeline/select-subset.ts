// Stage 4 of 6: a data map in; the instances that the main model is trained on out. Compares scores in float32, to the last tie.
import {permutation, randomStream} from '../random.js';
import {selectBalanced} from './class-balance.js';
import {selectClustered} from './cluster-sampling.js';
import {columnScore, isColumnMetric, isLowInformative, metricsOf} from './instance-scores.js';
import {ascendingOrder, hasNaN} from './order-statistics.js';
import {exactCount, requestedCount, selectHighest} from './select-highest.js';
import {selectStratified} from './stratified-sampling.js';
import type {Criterion, DataMap, InstanceMetric, Region, Selection, Subset} from './types.js';

/** Share of the informative end where cartography takes both. */
const HEAD_SHARE = 0.7;

/** What is beside the map. */
export interface SelectionInput {
  /** Gold classes, for a class-balanced selection. */
  labels?: ArrayLike<number>;
  /** Cluster of each instance, where that was found before (cluster-sampling.ts). */
  clusters?: Int32Array;
}

/**
 * An empty selection is an answer, not an error: ties, undefined scores and small shares lead there. The map must hold the scores that
 * the criterion ranks by (metricsOf).
 */
export function selectSubset(map: DataMap, selection: Selection, input: SelectionInput = {}): Subset {
  const {labels} = input;
  const {classBalance = 'none', criterion} = selection;
  if (classBalance === 'none') return select(map, selection, input);
  if (!labels) throw new Error('A class-balanced selection needs the labels of the instances');
  const [metric] = 'clustered' in criterion ? [] : metricsOf(criterion);
  const scores = metric && metricScores(map, metric);
  return {...selectBalanced(map, {...selection, classBalance}, {...input, labels}, select), scores};
}

/** Whatever the classes. */
function select(map: DataMap, selection: Selection, {clusters}: SelectionInput): Subset {
  const {criterion, seed} = selection;
  const requested = requestedCount(selection, map.numInstances);
  const unranked = {...drawn, requestedCount: requested};
  if ('region' in criterion) {
    const {region} = criterion;
    if (isRanked(region)) return {...unranked, ...rankedRegion(map, region, selection)};
    return {...unranked, instances: regionInstances(map, region, selection)};
  }
  if ('metric' in criterion) return {...unranked, ...ranking(map, criterion, selection)};
  if ('anyOf' in criterion) {
    const isIn = new Uint8Array(map.numInstances).fill(criterion.anyOf.length === 0 ? 1 : 0);
    for (const region of criterion.anyOf) mark(isIn, regionInstances(map, region, selection), 1);
    for (const region of criterion.noneOf) mark(isIn, regionInstances(map, region, selection), 0);
    return {...unranked, instances: marked(isIn)};
  }
  if ('stratified' in criterion) {
    const {metric, ...strata} = criterion.stratified;
    const scores = metricScores(map, metric);
    const hardness = isLowInformative(metric) ? negated(scores) : scores;
    const instances = selectStratified(hardness, {...strata, count: requested}, randomStream(seed, 'selection'));
    return {...unranked, instances, scores};
  }
  const trajectories = {values: metricScores(map, 'loss-trajectory'), numRows: map.numInstances};
  const instances = selectClustered(trajectories, {...criterion.clustered, count: requested, seed}, clusters);
  return {...unranked, instances};
}

/** One end of a score, or both. */
function ranking(
  map: DataMap,
  {metric, order}: Extract<Criterion, {metric: InstanceMetric}>,
  selection: Selection,
): Partial<Subset> & Pick<Subset, 'instances'> {
  const scores = metricScores(map, metric);
  if (order === 'both-ends') {
    const {rule} = selection;
    // Cartography's one row more is of its heads only.
    const count = exactCount(selection, map.numInstances, rule) - (rule === 'cartography-head' ? 1 : 0);
    return {instances: bothEnds(scores, isLowInformative(metric), count), scores};
  }
  const isLowestFirst = order === 'lowest-first';
  const {threshold, ...edge} = selectHighest(isLowestFirst ? negated(scores) : scores, selection, selection.rule);
  return {...edge, threshold: threshold !== undefined && isLowestFirst ? 0 - threshold : threshold, scores};
}

const drawn = {threshold: undefined, thresholdTieCount: 0, doTiesDecide: false, scores: undefined} as const;

/** What a region is ranked by, highest first. */
const ranked = {
  ambiguous: (map: RegionColumns) => map.variability,
  'easy-to-learn': (map: RegionColumns) => map.confidence,
  'hard-to-learn': (map: RegionColumns) => negated(map.confidence),
};
type RankedRegion = keyof typeof ranked;
const isRanked = (region: Region): region is RankedRegion => region in ranked;
/** Columns that the regions follow from. */
export type RegionColumns = Pick<DataMap, 'numInstances' | 'variability' | 'confidence'>;

export function rankedRegion(map: RegionColumns, region: RankedRegion, selection: Selection) {
  return selectHighest(ranked[region](map), selection, selection.rule);
}

/** Ascending. */
function regionInstances(map: DataMap, region: Region, selection: Selection): Int32Array {
  if (region === 'error-set') return marked(map.isWrongAtLast);
  if (region === 'random') {
    const {numInstances} = map;
    const {rule, seed, fraction, count} = selection;
    const floored = count ?? Math.floor(fraction * numInstances);
    const number = rule === 'rank' ? requestedCount(selection, numInstances) : floored;
    return permutation(numInstances, randomStream(seed, 'selection')).slice(0, number).sort();
  }
  if (isRanked(region)) return rankedRegion(map, region, selection).instances;
  const isEasy = new Uint8Array(map.numInstances).fill(1);
  for (const other of ['ambiguous', 'hard-to-learn'] as const)
    mark(isEasy, rankedRegion(map, other, selection).instances, 0);
  return marked(isEasy);
}

/** 70 % from the informative end, the rest from the other, of one stable order. Empty where a score is NaN. */
function bothEnds(scores: Float32Array, isLowFirst: boolean, count: number): Int32Array {
  if (hasNaN(scores)) return new Int32Array();
  const order = ascendingOrder(isLowFirst ? scores : negated(scores));
  const numHead = Math.floor(HEAD_SHARE * count);
  const taken = [...order.subarray(0, numHead), ...order.subarray(order.length - (count - numHead))];
  return Int32Array.from(taken).sort();
}

function metricScores(map: DataMap, metric: InstanceMetric): Float32Array {
  if (isColumnMetric(metric)) return columnScore(map, metric);
  const scores = map.scores[metric];
  if (!scores) throw new Error(`The data map must be built with the metric ${metric} to select by it`);
  return scores;
}

function mark(flags: Uint8Array, instances: Int32Array, value: 0 | 1): void {
  for (let at = 0; at < instances.length; at++) flags[instances[at]] = value;
}

/** Indices whose flag is set. */
function marked(flags: Uint8Array): Int32Array {
  const found = new Int32Array(flags.length);
  let count = 0;
  for (let i = 0; i < flags.length; i++) if (flags[i] === 1) found[count++] = i;
  return found.slice(0, count);
}

export const negated = (scores: Float32Array): Float32Array => {
  const result = new Float32Array(scores.length);
  for (let i = 0; i < scores.length; i++) result[i] = -scores[i];
  return result;
};
