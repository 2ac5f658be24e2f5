// The selection of a request ↔ the pipeline's: names ↔ enum values, and what is left out ↔ undefined.
import type {
  ClassBalance,
  Criterion,
  VariabilityEstimator as Estimator,
  InstanceMetric as Metric,
  Region as RegionName,
  Selection,
} from '../pipeline/types.js';
import {
  Selection_ClassBalance as Balance,
  InstanceMetric,
  MetricCriterion_Order as Order,
  Region,
  Selection_Rule as Rule,
  VariabilityEstimator,
  type Selection as WireSelection,
} from './gen/ftft/v1/data_map.js';
import type {RequestChecks} from './request-checks.js';

export const estimators: Record<Estimator, VariabilityEstimator> = {
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
  'error-set': Region.REGION_ERROR_SET,
};
export const metrics: Record<Metric, InstanceMetric> = {
  variability: InstanceMetric.INSTANCE_METRIC_VARIABILITY,
  confidence: InstanceMetric.INSTANCE_METRIC_CONFIDENCE,
  correctness: InstanceMetric.INSTANCE_METRIC_CORRECTNESS,
  'threshold-closeness': InstanceMetric.INSTANCE_METRIC_THRESHOLD_CLOSENESS,
  forgetting: InstanceMetric.INSTANCE_METRIC_FORGETTING,
  el2n: InstanceMetric.INSTANCE_METRIC_EL2N,
  'area-under-margin': InstanceMetric.INSTANCE_METRIC_AREA_UNDER_MARGIN,
  entropy: InstanceMetric.INSTANCE_METRIC_ENTROPY,
  loss: InstanceMetric.INSTANCE_METRIC_LOSS,
  'forgetting-count': InstanceMetric.INSTANCE_METRIC_FORGETTING_COUNT,
  'first-learned': InstanceMetric.INSTANCE_METRIC_FIRST_LEARNED,
  'presentations-to-learn': InstanceMetric.INSTANCE_METRIC_PRESENTATIONS_TO_LEARN,
  'aleatoric-uncertainty': InstanceMetric.INSTANCE_METRIC_ALEATORIC_UNCERTAINTY,
  'l1-error': InstanceMetric.INSTANCE_METRIC_L1_ERROR,
  'max-margin-error': InstanceMetric.INSTANCE_METRIC_MAX_MARGIN_ERROR,
  'sum-margin-error': InstanceMetric.INSTANCE_METRIC_SUM_MARGIN_ERROR,
  'accumulated-margin': InstanceMetric.INSTANCE_METRIC_ACCUMULATED_MARGIN,
  'final-entropy': InstanceMetric.INSTANCE_METRIC_FINAL_ENTROPY,
  'dyn-unc': InstanceMetric.INSTANCE_METRIC_DYN_UNC,
  'dyn-unc-released': InstanceMetric.INSTANCE_METRIC_DYN_UNC_RELEASED,
  dual: InstanceMetric.INSTANCE_METRIC_DUAL,
  tdds: InstanceMetric.INSTANCE_METRIC_TDDS,
  'loss-trajectory': InstanceMetric.INSTANCE_METRIC_LOSS_TRAJECTORY,
};
const orders = {
  'highest-first': Order.ORDER_HIGHEST_FIRST,
  'lowest-first': Order.ORDER_LOWEST_FIRST,
  'both-ends': Order.ORDER_BOTH_ENDS,
} as const;
const rules = {
  'upstream-quantile': Rule.RULE_UPSTREAM_QUANTILE,
  rank: Rule.RULE_RANK,
  'cartography-head': Rule.RULE_CARTOGRAPHY_HEAD,
} as const;
const balances: Record<ClassBalance, Balance> = {
  none: Balance.CLASS_BALANCE_NONE,
  proportional: Balance.CLASS_BALANCE_PROPORTIONAL,
  equal: Balance.CLASS_BALANCE_EQUAL,
};

export function toSelection({criterion, fraction, count, rule, seed, classBalance}: Selection): WireSelection {
  return {
    criterion: toCriterion(criterion),
    fraction: count === undefined ? fraction : 0,
    count: count ?? 0,
    rule: rules[rule],
    seed,
    classBalance: balances[classBalance ?? 'none'],
  };
}

function toCriterion(criterion: Criterion): NonNullable<WireSelection['criterion']> {
  if ('region' in criterion) return {$case: 'region', value: regions[criterion.region]};
  if ('metric' in criterion)
    return {$case: 'metric', value: {metric: metrics[criterion.metric], order: orders[criterion.order]}};
  if ('anyOf' in criterion) {
    const wire = (names: RegionName[]) => names.map(name => regions[name]);
    return {$case: 'regions', value: {anyOf: wire(criterion.anyOf), noneOf: wire(criterion.noneOf)}};
  }
  if ('stratified' in criterion) {
    const {metric, hardestShareDropped, numStrata} = criterion.stratified;
    return {$case: 'stratified', value: {metric: metrics[metric], hardestShareDropped, strata: numStrata}};
  }
  const {numClusters, numIterations} = criterion.clustered;
  return {$case: 'clustered', value: {clusters: numClusters, iterations: numIterations}};
}

export function fromEstimator(value: VariabilityEstimator, checks: RequestChecks): Estimator | undefined {
  return nameOf('variability_estimator', estimators, value, checks);
}

export function fromMetrics(values: InstanceMetric[], checks: RequestChecks): Metric[] {
  return values.flatMap((value, i) => requiredName(`metrics[${i}]`, metrics, value, checks) ?? []);
}

/** Only what the caller set; runs/ fills in the rest. */
export function fromSelection(
  selection: WireSelection | undefined,
  checks: RequestChecks,
): Partial<Selection> | undefined {
  if (!selection) return undefined;
  const {fraction, count, seed} = selection;
  const criterion = fromCriterion(selection.criterion, checks);
  const rule = nameOf('selection.rule', rules, selection.rule, checks);
  const classBalance = nameOf('selection.class_balance', balances, selection.classBalance, checks);
  if (!(fraction >= 0 && fraction <= 1))
    checks.violate('selection.fraction', `must be more than 0 and at most 1, current value is ${fraction}`);
  checks.notNegative('selection.count', count);
  if (fraction !== 0 && count !== 0)
    checks.violate('selection.count', `must not be set beside selection.fraction, they are ${count} and ${fraction}`);
  return {
    ...(criterion && {criterion}),
    ...(fraction !== 0 && {fraction}),
    ...(count !== 0 && {count}),
    ...(rule && {rule}),
    ...(classBalance && {classBalance}),
    seed,
  };
}

/** Counts of 0 are the defaults of the papers: runs/ checks the others. */
function fromCriterion(criterion: WireSelection['criterion'], checks: RequestChecks): Criterion | undefined {
  if (!criterion) return undefined;
  const {$case, value} = criterion;
  switch ($case) {
    case 'region': {
      const region = nameOf('selection.region', regions, value, checks);
      return region && {region};
    }
    case 'metric': {
      const order = nameOf('selection.metric.order', orders, value.order, checks) ?? 'highest-first';
      const metric = requiredName('selection.metric.metric', metrics, value.metric, checks);
      return metric && {metric, order};
    }
    case 'regions': {
      const names = (field: string, values: Region[]) =>
        values.flatMap((region, i) => requiredName(`selection.regions.${field}[${i}]`, regions, region, checks) ?? []);
      return {anyOf: names('any_of', value.anyOf), noneOf: names('none_of', value.noneOf)};
    }
    case 'stratified': {
      const {hardestShareDropped, strata} = value;
      const metric = nameOf('selection.stratified.metric', metrics, value.metric, checks) ?? 'accumulated-margin';
      return {stratified: {metric, hardestShareDropped, numStrata: strata || 50}};
    }
    case 'clustered':
      return {clustered: {numClusters: value.clusters || 100, numIterations: value.iterations || 20}};
  }
}

function requiredName<K extends string>(
  field: string,
  table: Record<K, number>,
  value: number,
  checks: RequestChecks,
): K | undefined {
  if (value === 0) checks.violate(field, 'is required');
  return nameOf(field, table, value, checks);
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
