// Data maps: records → messages, columns → blocks under the message limit, and the selection of a request the other way.
import type {
  VariabilityEstimator as Estimator,
  InstanceMetric as Metric,
  Region as RegionName,
  Selection,
} from '../pipeline/types.js';
import type {DataMapColumns, DataMapRecord} from '../runs/types.js';
import {floatColumn, packBits} from './columns.js';
import {
  type DataMap,
  type DataMapBlock,
  InstanceMetric,
  MetricCriterion_Order as Order,
  Region,
  Selection_Rule as Rule,
  VariabilityEstimator,
  DataMapDiagnostics_ReferenceVerdict as Verdict,
  type Selection as WireSelection,
} from './gen/ftft/v1/data_map.js';
import type {RequestChecks} from './request-checks.js';
import {toDate} from './translate-time.js';

const estimators: Record<Estimator, VariabilityEstimator> = {
  sample: VariabilityEstimator.VARIABILITY_ESTIMATOR_SAMPLE_STDDEV,
  population: VariabilityEstimator.VARIABILITY_ESTIMATOR_POPULATION_STDDEV,
  'active-bias-ci': VariabilityEstimator.VARIABILITY_ESTIMATOR_ACTIVE_BIAS_CI,
};
const regions: Record<RegionName, Region> = {
  ambiguous: Region.REGION_AMBIGUOUS,
  'hard-to-learn': Region.REGION_HARD_TO_LEARN,
  'easy-to-learn': Region.REGION_EASY_TO_LEARN,
  'easy-complement': Region.REGION_EASY_COMPLEMENT,
  random: Region.REGION_RANDOM,
};
const metrics: Record<Metric, InstanceMetric> = {
  variability: InstanceMetric.INSTANCE_METRIC_VARIABILITY,
  confidence: InstanceMetric.INSTANCE_METRIC_CONFIDENCE,
  correctness: InstanceMetric.INSTANCE_METRIC_CORRECTNESS,
  'threshold-closeness': InstanceMetric.INSTANCE_METRIC_THRESHOLD_CLOSENESS,
  forgetting: InstanceMetric.INSTANCE_METRIC_FORGETTING,
};
/** Metrics of the contract that need what this version does not keep with a map. */
const laterMetrics = [
  InstanceMetric.INSTANCE_METRIC_EL2N,
  InstanceMetric.INSTANCE_METRIC_AREA_UNDER_MARGIN,
  InstanceMetric.INSTANCE_METRIC_ENTROPY,
  InstanceMetric.INSTANCE_METRIC_LOSS,
];
const orders = {'highest-first': Order.ORDER_HIGHEST_FIRST, 'lowest-first': Order.ORDER_LOWEST_FIRST} as const;
const rules = {'upstream-quantile': Rule.RULE_UPSTREAM_QUANTILE, rank: Rule.RULE_RANK} as const;
const verdicts = {
  effective: Verdict.REFERENCE_VERDICT_EFFECTIVE,
  doubtful: Verdict.REFERENCE_VERDICT_DOUBTFUL,
  ineffective: Verdict.REFERENCE_VERDICT_INEFFECTIVE,
  undecided: Verdict.REFERENCE_VERDICT_UNDECIDED,
} as const;

export function toDataMap(record: DataMapRecord): DataMap {
  const {diagnostics} = record;
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
    diagnostics: {
      easyRatio: diagnostics.easyRatio,
      hardAmbiguousOverlap: diagnostics.hardAmbiguousOverlap,
      neverLearnedRatio: diagnostics.neverLearnedRatio,
      requestedCount: record.requestedCount,
      threshold: record.threshold,
      thresholdTieCount: record.thresholdTieCount,
      labelBalance: record.labelBalance,
      referenceVerdict: verdicts[diagnostics.verdict],
      referenceVerdictReason: diagnostics.verdictReason,
    },
    digest: record.digest,
    final: record.isFinal,
    createTime: toDate(record.createTime),
  };
}

function toSelection({criterion, fraction, rule, seed}: Selection): WireSelection {
  return {
    criterion:
      'region' in criterion
        ? {$case: 'region', value: regions[criterion.region]}
        : {$case: 'metric', value: {metric: metrics[criterion.metric], order: orders[criterion.order]}},
    fraction,
    rule: rules[rule],
    seed,
  };
}

export function fromEstimator(value: VariabilityEstimator, checks: RequestChecks): Estimator | undefined {
  return nameOf('variability_estimator', estimators, value, checks);
}

/** Only what the caller set; runs/ fills in the rest. */
export function fromSelection(
  selection: WireSelection | undefined,
  checks: RequestChecks,
): Partial<Selection> | undefined {
  if (!selection) return undefined;
  const criterion = fromCriterion(selection.criterion, checks);
  const rule = nameOf('selection.rule', rules, selection.rule, checks);
  if (!(selection.fraction >= 0 && selection.fraction <= 1))
    checks.violate('selection.fraction', `must be more than 0 and at most 1, current value is ${selection.fraction}`);
  return {
    ...(criterion && {criterion}),
    ...(selection.fraction !== 0 && {fraction: selection.fraction}),
    ...(rule && {rule}),
    seed: selection.seed,
  };
}

function fromCriterion(
  criterion: WireSelection['criterion'],
  checks: RequestChecks,
): Selection['criterion'] | undefined {
  if (!criterion) return undefined;
  if (criterion.$case === 'region') {
    const region = nameOf('selection.region', regions, criterion.value, checks);
    return region && {region};
  }
  const {metric: wire, order: wireOrder} = criterion.value;
  const order = nameOf('selection.metric.order', orders, wireOrder, checks) ?? 'highest-first';
  if (laterMetrics.includes(wire)) {
    checks.refuse(`selection.metric.metric: ${InstanceMetric[wire]}`);
    return undefined;
  }
  if (wire === InstanceMetric.INSTANCE_METRIC_UNSPECIFIED) checks.violate('selection.metric.metric', 'is required');
  const metric = nameOf('selection.metric.metric', metrics, wire, checks);
  return metric && {metric, order};
}

/** The name whose wire value this is; undefined for unspecified (0), a violation for values that the contract does not have. */
function nameOf<K extends string>(
  field: string,
  table: Record<K, number>,
  value: number,
  checks: RequestChecks,
): K | undefined {
  if (value === 0) return undefined;
  const found = (Object.keys(table) as K[]).find(name => table[name] === value);
  if (!found) checks.violate(field, `must be a value of its enum, current value is ${value}`);
  return found;
}

/** Instances first … end of the columns. */
export function toBlock(columns: DataMapColumns, first: number, end: number, withIds: boolean): DataMapBlock {
  const floats = (values: Float32Array) => floatColumn(values, first, end);
  return {
    firstInstance: first,
    instanceCount: end - first,
    confidence: floats(columns.confidence),
    variability: floats(columns.variability),
    correctEpochs: Array.from(columns.correctness.subarray(first, end)),
    forgettingEvents: Array.from(columns.forgettingEvents.subarray(first, end)),
    selected: packBits(end - first, i => columns.isSelected[first + i] === 1),
    score: floats(columns.scores),
    instanceIds: withIds ? columns.instanceIds.slice(first, end) : [],
  };
}
