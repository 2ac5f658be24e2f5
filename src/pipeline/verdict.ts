// What a map shows of its reference in; whether that reference is likely to help a main model, and why, out.
import type {DiagnosticFacts, DiagnosticThresholds, ReferenceVerdict} from './types.js';

/** Of the ambiguous and hard-to-learn regions. */
export interface RegionFigures {
  numEpochs: number;
  numInstances: number;
  numAmbiguous: number;
  numHard: number;
  /** Share of the ambiguous instances that are hard-to-learn too. */
  overlap: number;
}

interface Judgement {
  verdict: ReferenceVerdict;
  verdictReason: string;
}

/**
 * Our own heuristic (the paper gives no threshold): hard instances that a reference slowly learns are both hard-to-learn and
 * ambiguous, so the two regions overlap beyond chance. With chance level c, hard-to-learn's share, and overlap o = |A and H| / |A|:
 * effective: (o - c) / (1 - c) is at least thresholds.overlapExcess, and beyond noise; ineffective: less than that and within noise;
 * doubtful otherwise; undecided: fewer than two epochs, or an empty region, or one that holds everything. Noise: two standard errors of
 * the hypergeometric distribution.
 *
 * A reference that is known to classify no better than the majority class is ineffective whatever the overlap, and one whose accuracy
 * has gone less than thresholds.accuracySkill of the way from there to 1 is doubtful at best.
 */
export function judge(figures: RegionFigures, facts: DiagnosticFacts, thresholds: DiagnosticThresholds): Judgement {
  const byOverlap = judgeOverlap(figures, thresholds);
  const {skill, words} = skillOf(facts, thresholds);
  if (skill === undefined || byOverlap.verdict === 'undecided') return byOverlap;
  const {verdict, verdictReason} = byOverlap;
  const lowered: ReferenceVerdict =
    skill <= 0 ? 'ineffective' : skill < thresholds.accuracySkill && verdict === 'effective' ? 'doubtful' : verdict;
  return {verdict: lowered, verdictReason: lowered === verdict ? verdictReason : `${words}; ${verdictReason}`};
}

function judgeOverlap(figures: RegionFigures, {overlapExcess}: DiagnosticThresholds): Judgement {
  const {numEpochs, numInstances, numAmbiguous, numHard, overlap} = figures;
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
    excess >= overlapExcess && isBeyondNoise
      ? 'effective'
      : excess >= overlapExcess || isBeyondNoise
        ? 'doubtful'
        : 'ineffective';
  const meaning = {
    effective: 'well above chance, so hard instances are being learnt',
    doubtful: 'above chance, but not clearly',
    ineffective: 'no more than chance, so hard instances are not being learnt',
  }[verdict];
  const needed = chance + overlapExcess * (1 - chance);
  return {
    verdict,
    verdictReason:
      `${percent(overlap)} of ${numAmbiguous} ambiguous instances are hard-to-learn too: ${meaning} ` +
      `(chance ${percent(chance)}, noise ${percent(2 * standardError)}, effective from ${percent(needed)}; our heuristic)`,
  };
}

/** Share of the way from the majority class to 1 that accuracy in distribution has gone; undefined where either is not known. */
export function skillOf(
  {inDistributionAccuracy: accuracy, classCounts}: DiagnosticFacts,
  {accuracySkill}: DiagnosticThresholds,
): {skill: number | undefined; words: string} {
  if (accuracy === undefined || !classCounts) return {skill: undefined, words: ''};
  const numInstances = classCounts.all.reduce((sum, count) => sum + count, 0);
  const majority = Math.max(...classCounts.all) / numInstances;
  if (!(majority < 1)) return {skill: undefined, words: ''};
  const needed = majority + accuracySkill * (1 - majority);
  return {
    skill: (accuracy - majority) / (1 - majority),
    words: `the reference is right on ${percent(accuracy)} in distribution, where its most frequent class makes ${percent(majority)} and ${percent(needed)} would do`,
  };
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
