// Data maps: records → messages, columns → blocks under the message limit, comparisons → their response.
import type {DataMapComparison, SubsetOverlap} from '../pipeline/compare-data-maps.js';
import type {DataMapColumns, DataMapRecord} from '../runs/types.js';
import {floatColumn, packBits} from './columns.js';
import {
  type CompareDataMapsResponse,
  type DataMap,
  type DataMapBlock,
  type DataMapDiagnostics,
  DataMapDiagnostics_ReferenceVerdict as Verdict,
  type SubsetOverlap as WireOverlap,
} from './gen/ftft/v1/data_map.js';
import {estimators, metrics, toSelection} from './translate-selection.js';
import {toDate} from './translate-time.js';

const verdicts = {
  effective: Verdict.REFERENCE_VERDICT_EFFECTIVE,
  doubtful: Verdict.REFERENCE_VERDICT_DOUBTFUL,
  ineffective: Verdict.REFERENCE_VERDICT_INEFFECTIVE,
  undecided: Verdict.REFERENCE_VERDICT_UNDECIDED,
} as const;

export function toDataMap(record: DataMapRecord): DataMap {
  return {
    name: `dataMaps/${record.id}`,
    run: `runs/${record.run}`,
    dataset: record.dataset === '' ? '' : `datasets/${record.dataset}`,
    trainSplit: record.trainSplit,
    epochs: record.epochs,
    variabilityEstimator: estimators[record.variabilityEstimator],
    selection: toSelection(record.selection),
    instanceCount: record.instanceCount,
    selectedCount: record.selectedCount,
    diagnostics: toDiagnostics(record),
    digest: record.digest,
    final: record.isFinal,
    createTime: toDate(record.createTime),
    metrics: (record.metrics ?? []).map(metric => metrics[metric]),
    scoreWindow: record.scoreWindow ?? 0,
  };
}

/** Maps that older versions stored lack some fields. */
function toDiagnostics(record: DataMapRecord): DataMapDiagnostics {
  const {diagnostics, epochDiagnostics = []} = record;
  return {
    easyRatio: diagnostics.easyRatio,
    hardAmbiguousOverlap: diagnostics.hardAmbiguousOverlap,
    neverLearnedRatio: diagnostics.neverLearnedRatio,
    requestedCount: record.requestedCount,
    threshold: record.threshold,
    thresholdTieCount: record.thresholdTieCount,
    labelBalance: record.labelBalance,
    referenceVerdict: verdicts[diagnostics.verdict],
    referenceVerdictReason: diagnostics.verdictReason,
    warnings: diagnostics.warnings ?? [],
    thresholdTieRatio: record.thresholdTieCount / record.instanceCount,
    labelShift: record.labelShift ?? 0,
    inDistributionAccuracy: record.inDistributionAccuracy,
    lastEpochGain: diagnostics.lastEpochGain,
    epochs: epochDiagnostics.map(({epoch, accuracy, pTrue, trainLoss}) => ({
      epoch,
      accuracy,
      meanPTrue: pTrue,
      trainLoss,
    })),
    thresholds: record.thresholds,
  };
}

/** Instances first … end of the columns. */
export function toBlock(
  columns: DataMapColumns,
  first: number,
  end: number,
  include: {ids: boolean; metrics: boolean},
): DataMapBlock {
  const floats = (values: Float32Array) => floatColumn(values, first, end);
  const numInstances = columns.confidence.length;
  const rows = (values: Float32Array) => {
    const width = values.length / numInstances;
    return floatColumn(values, first * width, end * width);
  };
  return {
    firstInstance: first,
    instanceCount: end - first,
    confidence: floats(columns.confidence),
    variability: floats(columns.variability),
    correctEpochs: Array.from(columns.correctness.subarray(first, end)),
    forgettingEvents: Array.from(columns.forgettingEvents.subarray(first, end)),
    selected: packBits(end - first, i => columns.isSelected[first + i] === 1),
    score: floats(columns.scores),
    instanceIds: include.ids ? columns.instanceIds.slice(first, end) : [],
    metricColumns: include.metrics
      ? columns.metricColumns.map(({metric, values}) => ({metric: metrics[metric], values: rows(values)}))
      : [],
  };
}

export function toComparison(comparison: DataMapComparison): CompareDataMapsResponse {
  const {agreement} = comparison;
  return {
    instanceCount: comparison.numInstances,
    selected: toOverlap(comparison.selected),
    ambiguous: toOverlap(comparison.ambiguous),
    hardToLearn: toOverlap(comparison.hardToLearn),
    confidenceSpearman: comparison.confidenceSpearman,
    variabilitySpearman: comparison.variabilitySpearman,
    easyRatio: comparison.easyRatio,
    otherEasyRatio: comparison.otherEasyRatio,
    regionAgreement: {counts: agreement.counts, agreement: agreement.ratio, kappa: agreement.kappa},
  };
}

const toOverlap = ({
  count,
  otherCount,
  sharedCount,
  overlap,
  otherOverlap,
  jaccard,
  chanceOverlap,
}: SubsetOverlap): WireOverlap => ({
  count,
  otherCount,
  sharedCount,
  overlap,
  otherOverlap,
  jaccard,
  chanceOverlap,
});
