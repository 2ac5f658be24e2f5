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
  /** Share of the instances that were right at the last epoch used. */
  lastAccuracy: number;
  /** Rise of mean pTrue in the last epoch used; undefined for one epoch. */
  lastEpochGain?: number;
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
 * A reference that is known to classify no better than the majority class, in distribution or the instances it learns from at the last
 * epoch, is ineffective whatever the overlap: noise orders instances too. One whose accuracy in distribution has gone less than
 * thresholds.accuracySkill of the way from there to 1 is doubtful at best.
 */
export function judge(figures: RegionFigures, facts: DiagnosticFacts, thresholds: DiagnosticThresholds): Judgement {
  const byOverlap = judgeOverlap(figures, thresholds);
  if (byOverlap.verdict === 'undecided') return byOverlap;
  const {verdict, verdictReason} = byOverlap;
  const majority = majorityOf(facts);
  if (majority !== undefined && figures.lastAccuracy <= majority) {
    const learnt = `the reference has learnt nothing: in its last epoch it was right on ${percent(figures.lastAccuracy)} of the instances, and the most frequent class makes ${percent(majority)}`;
    return {verdict: 'ineffective', verdictReason: `${learnt}; ${verdictReason}`};
  }
  const {skill, words} = skillOf(facts, thresholds);
  if (skill === undefined) return byOverlap;
  const lowered: ReferenceVerdict =
    skill <= 0 ? 'ineffective' : skill < thresholds.accuracySkill && verdict === 'effective' ? 'doubtful' : verdict;
  return {verdict: lowered, verdictReason: lowered === verdict ? verdictReason : `${words}; ${verdictReason}`};
}

function judgeOverlap(figures: RegionFigures, thresholds: DiagnosticThresholds): Judgement {
  const {numEpochs, numInstances, numAmbiguous, numHard, overlap, lastEpochGain = 0} = figures;
  const {overlapExcess} = thresholds;
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
    ineffective:
      overlap - chance < -2 * standardError
        ? 'below chance, so it is easy instances that look ambiguous'
        : 'no more than chance, so hard instances are not being learnt',
  }[verdict];
  // A longer training may still change these.
  const isUnfinished = verdict !== 'effective' && lastEpochGain > thresholds.lastEpochGain;
  const needed = chance + overlapExcess * (1 - chance);
  return {
    verdict,
    verdictReason:
      `${percent(overlap)} of ${numAmbiguous} ambiguous instances are hard-to-learn too: ${meaning}${isUnfinished ? ', and the reference was still learning when it ended' : ''} ` +
      `(chance ${percent(chance)}, noise ${percent(2 * standardError)}, effective from ${percent(needed)}; our heuristic)`,
  };
}

/** Share of the way from the majority class to 1 that accuracy in distribution has gone; undefined where either is not known. */
export function skillOf(
  {inDistributionAccuracy: accuracy, classCounts}: DiagnosticFacts,
  {accuracySkill}: DiagnosticThresholds,
): {skill: number | undefined; words: string} {
  const majority = majorityOf({classCounts});
  if (accuracy === undefined || majority === undefined) return {skill: undefined, words: ''};
  const needed = majority + accuracySkill * (1 - majority);
  return {
    skill: (accuracy - majority) / (1 - majority),
    words: `the reference is right on ${percent(accuracy)} in distribution, where its most frequent class makes ${percent(majority)} and ${percent(needed)} would do`,
  };
}

/** Share of the most frequent class; undefined where the classes are not known, or are only one. */
function majorityOf({classCounts}: DiagnosticFacts): number | undefined {
  if (!classCounts) return undefined;
  const majority = Math.max(...classCounts.all) / classCounts.all.reduce((sum, count) => sum + count, 0);
  return majority > 0 && majority < 1 ? majority : undefined;
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
