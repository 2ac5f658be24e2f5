// Options of a command → the selection of a request for a data map.
import type {Command} from 'commander';
import {
  Selection_ClassBalance as Balance,
  InstanceMetric,
  MetricCriterion_Order as Order,
  Region,
  Selection_Rule as Rule,
  type Selection,
} from '../server/gen/ftft/v1/data_map.js';
import {oneOf, words} from './enum-words.js';
import {wrongUsage} from './report-error.js';
import {choice, integer, number, positive} from './verb.js';

export interface SelectionOptions {
  region?: Region;
  metric?: InstanceMetric;
  lowestFirst?: boolean;
  bothEnds?: boolean;
  anyOf?: Region[];
  noneOf?: Region[];
  stratified?: InstanceMetric;
  dropHardest?: number;
  strata?: number;
  clusters?: number;
  iterations?: number;
  fraction?: number;
  count?: number;
  rule?: Rule;
  seed?: number;
  classBalance?: Balance;
}

const regions = words<Region>(Region, 'REGION_');
export const metrics = words<InstanceMetric>(InstanceMetric, 'INSTANCE_METRIC_');
const rules = words<Rule>(Rule, 'RULE_');
const balances = words<Balance>(Balance, 'CLASS_BALANCE_');

/** a,b,c; may be given more than once. */
export function choices<T extends number>(table: Record<string, T>): (text: string, before: T[] | undefined) => T[] {
  return (text, before) => [...(before ?? []), ...text.split(',').map(word => choice(table)(word.trim()))];
}

export function withSelection(command: Command): Command {
  return command
    .option('--region <region>', `${oneOf(regions)} (server default ambiguous)`, choice(regions))
    .option('--metric <metric>', `instead of a region, one end of a ranking: ${oneOf(metrics)}`, choice(metrics))
    .option('--lowest-first', 'the low end of the metric')
    .option('--both-ends', "cartography's 70 % of the informative end and 30 % of the other, with --rule rank")
    .option('--any-of <regions>', 'union of these regions, apart by commas', choices(regions))
    .option('--none-of <regions>', 'without these regions', choices(regions))
    .option('--stratified <metric>', 'coverage-centric: strata of this score, equal budgets', choice(metrics))
    .option('--drop-hardest <share>', 'with --stratified: leave out this share first', number)
    .option('--strata <n>', 'with --stratified (server default 50)', integer(1, 1000))
    .option('--clusters <n>', 'S2L: this many clusters of loss trajectories, equal budgets', integer(1, 1000))
    .option('--iterations <n>', 'with --clusters (server default 20)', integer(1, 1000))
    .option('--fraction <share>', 'share of the instances to select (server default 0.33)', positive(1))
    .option('--count <n>', 'instead of a share, this many instances', integer(1))
    .option('--rule <rule>', `${oneOf(rules)} (server default upstream-quantile)`, choice(rules))
    .option('--seed <n>', 'seed of what is drawn', integer(0, 2 ** 32 - 1))
    .option('--class-balance <how>', `${oneOf(balances)} (server default none)`, choice(balances));
}

export function toSelection(options: SelectionOptions): Partial<Selection> {
  const {fraction, count, rule, seed, classBalance} = options;
  if (fraction !== undefined && count !== undefined) throw wrongUsage('Give --fraction or --count, not both');
  return {criterion: toCriterion(options), fraction, count, rule, seed, classBalance};
}

function toCriterion(options: SelectionOptions): Selection['criterion'] {
  const {region, metric, anyOf = [], noneOf = [], stratified, clusters} = options;
  const given: Selection['criterion'][] = [];
  if (region !== undefined) given.push({$case: 'region', value: region});
  if (metric !== undefined) given.push({$case: 'metric', value: {metric, order: toOrder(options)}});
  if (anyOf.length + noneOf.length > 0) given.push({$case: 'regions', value: {anyOf, noneOf}});
  if (stratified !== undefined) {
    const {dropHardest: hardestShareDropped = 0, strata = 0} = options;
    given.push({$case: 'stratified', value: {metric: stratified, hardestShareDropped, strata}});
  }
  if (clusters !== undefined) given.push({$case: 'clustered', value: {clusters, iterations: options.iterations ?? 0}});
  if (given.length > 1)
    throw wrongUsage('Give one of --region, --metric, --any-of and --none-of, --stratified and --clusters');
  return given[0];
}

function toOrder({lowestFirst, bothEnds}: SelectionOptions): Order {
  if (lowestFirst && bothEnds) throw wrongUsage('Give --lowest-first or --both-ends, not both');
  if (bothEnds) return Order.ORDER_BOTH_ENDS;
  return lowestFirst ? Order.ORDER_LOWEST_FIRST : Order.ORDER_HIGHEST_FIRST;
}
