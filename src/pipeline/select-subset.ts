// Stage 4 of 6: a data map in; the instances that the main model is trained on out. Compares scores in float32, to the last tie.
import {permutation, randomStream} from '../random.js';
import {selectHighest} from './select-highest.js';
import type {DataMap, InstanceMetric, Region, Selection, Subset} from './types.js';

/** Forgetting score of an instance that was never right, as in cartography: above all counts of a training of fewer epochs. */
export const NEVER_LEARNED = 1000;

/** An empty selection is an answer, not an error: ties, undefined scores and small shares lead there. */
export function selectSubset(map: DataMap, selection: Selection): Subset {
  const {criterion, fraction, rule} = selection;
  const requestedCount = Math.round(fraction * map.numInstances);
  const unscored = {requestedCount, threshold: undefined, thresholdTieCount: 0, scores: undefined};
  if ('metric' in criterion) {
    const scores = metricScores(map, criterion.metric);
    const isLowestFirst = criterion.order === 'lowest-first';
    const {threshold, ...edge} = selectHighest(isLowestFirst ? negated(scores) : scores, fraction, rule);
    const metricThreshold = threshold !== undefined && isLowestFirst ? 0 - threshold : threshold;
    return {requestedCount, ...edge, threshold: metricThreshold, scores};
  }
  const {region} = criterion;
  if (region === 'random') {
    const count = rule === 'rank' ? requestedCount : Math.floor(fraction * map.numInstances);
    const order = permutation(map.numInstances, randomStream(selection.seed, 'selection'));
    return {...unscored, instances: order.slice(0, count).sort()};
  }
  if (region === 'easy-complement') {
    const isTaken = new Uint8Array(map.numInstances);
    for (const other of ['ambiguous', 'hard-to-learn'] as const)
      for (const instance of selectHighest(regionScores(map, other), fraction, rule).instances) isTaken[instance] = 1;
    const instances = Int32Array.from({length: map.numInstances}, (_, i) => i).filter(i => isTaken[i] === 0);
    return {...unscored, instances};
  }
  return {requestedCount, ...selectHighest(regionScores(map, region), fraction, rule), scores: undefined};
}

/** What a region is ranked by, highest first. */
function regionScores(map: DataMap, region: Exclude<Region, 'random' | 'easy-complement'>): Float32Array {
  if (region === 'ambiguous') return map.variability;
  return region === 'easy-to-learn' ? map.confidence : negated(map.confidence);
}

function metricScores(map: DataMap, metric: InstanceMetric): Float32Array {
  const {confidence, correctness, forgettingEvents} = map;
  switch (metric) {
    case 'variability':
      return map.variability.slice();
    case 'confidence':
      return confidence.slice();
    case 'correctness':
      return Float32Array.from(correctness);
    case 'threshold-closeness':
      return confidence.map(mean => mean * (1 - mean));
    case 'forgetting':
      return Float32Array.from(forgettingEvents, (count, i) => (correctness[i] === 0 ? NEVER_LEARNED : count));
  }
}

const negated = (scores: Float32Array): Float32Array => scores.map(score => -score);
