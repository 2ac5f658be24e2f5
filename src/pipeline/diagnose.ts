// A data map and a selection in; what the map says of its reference model and of the selection out.
import {rankedRegion} from './select-subset.js';
import type {DataMap, DataMapDiagnostics, DiagnosticFacts, DiagnosticThresholds, Selection} from './types.js';
import {judge} from './verdict.js';
import {warningsOf} from './warnings.js';

/** Our own choice: the paper gives no numbers. */
export const defaultThresholds: DiagnosticThresholds = {
  overlapExcess: 0.25,
  accuracySkill: 0.25,
  lastEpochGain: 0.05,
  labelShift: 0.1,
  neverLearned: 0.1,
};

/** Regions at the selection's share and by its rule. How the verdict is reached: verdict.ts. */
export function diagnose(map: DataMap, selection: Selection, facts: DiagnosticFacts = {}): DataMapDiagnostics {
  const {numInstances} = map;
  const thresholds = facts.thresholds ?? defaultThresholds;
  const [ambiguous, hard] = (['ambiguous', 'hard-to-learn'] as const).map(region =>
    regionOf(map, region, selection, facts),
  );
  const numBoth = sharedCount(ambiguous, hard);
  const overlap = ambiguous.length === 0 ? 0 : numBoth / ambiguous.length;
  let numNeverLearned = 0;
  for (let i = 0; i < numInstances; i++) if (map.correctness[i] === 0) numNeverLearned++;
  const means = map.epochMeans;
  const measured = {
    easyRatio: 1 - (ambiguous.length + hard.length - numBoth) / numInstances,
    hardAmbiguousOverlap: overlap,
    neverLearnedRatio: numNeverLearned / numInstances,
    ...(means.length > 1 && {lastEpochGain: means[means.length - 1].pTrue - means[means.length - 2].pTrue}),
  };
  const counts = {numEpochs: means.length, numInstances, numAmbiguous: ambiguous.length, numHard: hard.length};
  const learning = {lastAccuracy: means[means.length - 1].accuracy, lastEpochGain: measured.lastEpochGain};
  const verdict = judge({...counts, ...learning, overlap}, facts, thresholds);
  return {...measured, ...verdict, warnings: warningsOf({...measured, ...counts}, selection, facts, thresholds)};
}

/** At the selection's share and by its rule; what was selected, where that is the region. */
function regionOf(
  map: DataMap,
  region: 'ambiguous' | 'hard-to-learn',
  selection: Selection,
  {subset}: DiagnosticFacts,
): Int32Array {
  const {criterion, classBalance = 'none'} = selection;
  const isSelected = 'region' in criterion && criterion.region === region && classBalance === 'none';
  return subset && isSelected ? subset.instances : rankedRegion(map, region, selection).instances;
}

/** Instances in both of two ascending lists. */
export function sharedCount(one: Int32Array, other: Int32Array): number {
  let count = 0;
  for (let a = 0, b = 0; a < one.length && b < other.length; ) {
    if (one[a] === other[b]) {
      count++;
      a++;
      b++;
    } else if (one[a] < other[b]) a++;
    else b++;
  }
  return count;
}
