// A data map and a selection in; what the map says of its reference model out.
import {selectSubset} from './select-subset.js';
import type {DataMap, DataMapDiagnostics, ReferenceVerdict, Selection} from './types.js';

/** Share of the way from chance to complete overlap above which we call a reference effective. */
const EFFECTIVE_EXCESS = 0.25;

/**
 * Regions at the selection's fraction and by its rule. The verdict is our own heuristic (the paper gives no threshold): hard
 * instances that a reference slowly learns are both hard-to-learn and ambiguous, so the two regions overlap beyond chance. With
 * chance level c, hard-to-learn's share, and overlap o = |A and H| / |A|:
 * effective: (o - c) / (1 - c) >= 0.25 and beyond noise; ineffective: less than that and within noise; doubtful otherwise;
 * undecided: fewer than two epochs, or an empty region, or one that holds everything. Noise: two standard errors of the
 * hypergeometric distribution.
 */
export function diagnose(map: DataMap, selection: Selection): DataMapDiagnostics {
  const {numInstances} = map;
  const region = (name: 'ambiguous' | 'hard-to-learn') =>
    selectSubset(map, {...selection, criterion: {region: name}}).instances;
  const ambiguous = region('ambiguous');
  const hard = region('hard-to-learn');
  const isHard = new Uint8Array(numInstances);
  for (const instance of hard) isHard[instance] = 1;
  const numBoth = ambiguous.reduce((count, instance) => count + isHard[instance], 0);
  const numNeverLearned = map.correctness.reduce((count, right) => count + (right === 0 ? 1 : 0), 0);
  const overlap = ambiguous.length === 0 ? 0 : numBoth / ambiguous.length;
  return {
    easyRatio: 1 - (ambiguous.length + hard.length - numBoth) / numInstances,
    hardAmbiguousOverlap: overlap,
    neverLearnedRatio: numNeverLearned / numInstances,
    ...judge(map, overlap, ambiguous.length, hard.length),
  };
}

function judge(
  {epochs, numInstances}: DataMap,
  overlap: number,
  numAmbiguous: number,
  numHard: number,
): {verdict: ReferenceVerdict; verdictReason: string} {
  const numEpochs = epochs.last - epochs.first + 1;
  const undecided = (why: string) => ({verdict: 'undecided' as const, verdictReason: `Cannot be told: ${why}`});
  if (numEpochs < 2) return undecided(`variability needs at least 2 epochs, the map has ${numEpochs}`);
  for (const [name, count] of [
    ['ambiguous', numAmbiguous],
    ['hard-to-learn', numHard],
  ] as const) {
    if (count === 0)
      return undecided(`the ${name} region is empty, since ties at its threshold or too small a share leave nothing`);
    if (count === numInstances) return undecided(`the ${name} region holds all ${numInstances} instances`);
  }
  const chance = numHard / numInstances;
  const standardError = Math.sqrt(
    (chance * (1 - chance) * (numInstances - numAmbiguous)) / (numAmbiguous * (numInstances - 1)),
  );
  const excess = (overlap - chance) / (1 - chance);
  const isBeyondNoise = overlap - chance > 2 * standardError;
  const verdict =
    excess >= EFFECTIVE_EXCESS && isBeyondNoise
      ? 'effective'
      : excess >= EFFECTIVE_EXCESS || isBeyondNoise
        ? 'doubtful'
        : 'ineffective';
  const meaning = {
    effective: 'well above chance, so hard instances are being learnt',
    doubtful: 'above chance, but not clearly',
    ineffective: 'no more than chance, so hard instances are not being learnt',
  }[verdict];
  const needed = chance + EFFECTIVE_EXCESS * (1 - chance);
  return {
    verdict,
    verdictReason:
      `${percent(overlap)} of ${numAmbiguous} ambiguous instances are hard-to-learn too: ${meaning} ` +
      `(chance ${percent(chance)}, noise ${percent(2 * standardError)}, effective from ${percent(needed)}; our heuristic)`,
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
