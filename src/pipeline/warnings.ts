// What a map and its selection show, and the thresholds, in; sentences on what to look at before the map is used out.
import {labelShift} from './class-balance.js';
import type {DataMapDiagnostics, DiagnosticFacts, DiagnosticThresholds, Selection} from './types.js';
import {percent, type RegionFigures, skillOf} from './verdict.js';

type Figures = Pick<DataMapDiagnostics, 'easyRatio' | 'neverLearnedRatio' | 'lastEpochGain'> &
  Omit<RegionFigures, 'overlap' | 'lastAccuracy'>;

/** Most important first. */
export function warningsOf(
  figures: Figures,
  selection: Selection,
  facts: DiagnosticFacts,
  thresholds: DiagnosticThresholds,
): string[] {
  return [
    ...selectionWarnings(selection, facts, figures.numInstances),
    ...referenceWarnings(figures, facts, thresholds),
    ...labelWarnings(facts, thresholds),
  ];
}

function selectionWarnings({rule}: Selection, {subset}: DiagnosticFacts, numInstances: number): string[] {
  if (!subset) return [];
  const {instances, requestedCount, thresholdTieCount, doTiesDecide, scores} = subset;
  const warnings: string[] = [];
  const numUndefined = scores?.reduce((count, score) => count + (Number.isNaN(score) ? 1 : 0), 0) ?? 0;
  if (numUndefined > 0)
    warnings.push(`${numUndefined} of ${numInstances} scores are not defined, and so nothing is ranked`);
  else if (instances.length === 0) warnings.push(`Nothing is selected of the ${requestedCount} asked for`);
  if (doTiesDecide)
    warnings.push(
      `Ties decide: ${thresholdTieCount} instances (${percent(thresholdTieCount / numInstances)}) have the very score at the edge; ` +
        (rule === 'upstream-quantile'
          ? `all of them are left out, and ${instances.length} are selected of the ${requestedCount} asked for`
          : 'those with the lower index are in'),
    );
  return warnings;
}

function referenceWarnings(figures: Figures, facts: DiagnosticFacts, thresholds: DiagnosticThresholds): string[] {
  const {easyRatio, neverLearnedRatio, lastEpochGain, numAmbiguous, numHard, numInstances} = figures;
  const warnings: string[] = [];
  const {skill, words} = skillOf(facts, thresholds);
  if (skill !== undefined && skill < thresholds.accuracySkill) warnings.push(capital(words));
  const isMap = numAmbiguous > 0 && numHard > 0 && numAmbiguous < numInstances && numHard < numInstances;
  const easyByChance = (1 - numAmbiguous / numInstances) * (1 - numHard / numInstances);
  if (isMap && easyRatio < easyByChance)
    warnings.push(
      `Few instances are easy: ${percent(easyRatio)} are neither ambiguous nor hard-to-learn, fewer than the ${percent(easyByChance)} of two unrelated regions, which is the mark of a reference that calls easy instances ambiguous`,
    );
  if (lastEpochGain !== undefined && lastEpochGain > thresholds.lastEpochGain)
    warnings.push(
      `The reference has not converged: mean p_true still rose by ${lastEpochGain.toFixed(3)} in the last epoch used (more than ${thresholds.lastEpochGain})`,
    );
  if (neverLearnedRatio > thresholds.neverLearned)
    warnings.push(
      `${percent(neverLearnedRatio)} of the instances were right at no epoch (more than ${percent(thresholds.neverLearned)}): their labels are wrong, or the reference is too weak`,
    );
  return warnings;
}

function labelWarnings({classCounts}: DiagnosticFacts, thresholds: DiagnosticThresholds): string[] {
  const shift = classCounts ? labelShift(classCounts) : 0;
  if (shift <= thresholds.labelShift) return [];
  return [
    `The labels of the selection differ from those of the split by ${percent(shift)} (more than ${percent(thresholds.labelShift)}); a class-balanced selection keeps them`,
  ];
}

const capital = (sentence: string): string => sentence.charAt(0).toUpperCase() + sentence.slice(1);
