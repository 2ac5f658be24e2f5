// A request for a data map → its selection with every default filled in, or everything that is wrong with it.
import {invalidFields} from '../errors.js';
import type {Criterion, InstanceMetric, Selection} from '../pipeline/types.js';
import type {DataMapCreation} from './api.js';
import {FieldRules} from './field-rules.js';
import type {RunRecord} from './types.js';

export const what = 'Cannot build a data map';
const most = 1000;

const defaults: Selection = {
  criterion: {region: 'ambiguous'},
  fraction: 0.33,
  rule: 'upstream-quantile',
  seed: 0,
};

/** INVALID_ARGUMENT/INVALID_FIELD with all violations. run: undefined where there is none of that name. */
export function planSelection(creation: DataMapCreation, run: RunRecord | undefined): Selection {
  const {id, epochs, burnOut, scoreWindow, metrics = []} = creation;
  const selection: Selection = {...defaults, ...creation.selection};
  const rules = new FieldRules();
  rules.id('data_map_id', id);
  checkSize(selection, rules);
  rules.integer('selection.seed', selection.seed, 0, 2 ** 32 - 1);
  if (burnOut !== undefined) {
    rules.integer('burn_out', burnOut, 1, 2 ** 31 - 1);
    if (epochs) rules.violate('burn_out', `must not be set beside epochs, current value is ${burnOut}`);
  }
  if (scoreWindow !== undefined) rules.integer('score_window', scoreWindow, 2, 2 ** 31 - 1);
  const repeated = metrics.find((metric, i) => metrics.indexOf(metric) !== i);
  if (repeated) rules.violate('metrics', `must name each score once, ${repeated} is twice in it`);
  checkCriterion(selection, rules);
  if (run?.kind === 'MAIN') rules.violate('run', 'must be a reference or an imported run, it is a main run');
  if (rules.violations.length > 0) throw invalidFields(what, rules.violations);
  return selection;
}

/** Once the number of instances is known. */
export function checkCount({count, criterion}: Selection, numInstances: number): void {
  const rules = new FieldRules();
  if (count !== undefined && count > numInstances)
    rules.violate(
      'selection.count',
      `must be at most ${numInstances}, the instances of the run, current value is ${count}`,
    );
  if (count !== undefined) checkRoom(criterion, count / numInstances, 'selection.count', rules);
  if (rules.violations.length > 0) throw invalidFields(what, rules.violations);
}

function checkSize({fraction, count, criterion}: Selection, rules: FieldRules): void {
  if (count !== undefined) {
    rules.integer('selection.count', count, 1, Number.MAX_SAFE_INTEGER);
    return;
  }
  rules.number('selection.fraction', fraction, q => q > 0 && q <= 1, 'more than 0 and at most 1');
  checkRoom(criterion, fraction, 'selection.fraction', rules);
}

/** What is dropped cannot be selected. */
function checkRoom(criterion: Criterion, share: number, field: string, rules: FieldRules): void {
  if (!('stratified' in criterion)) return;
  const left = 1 - criterion.stratified.hardestShareDropped;
  if (share > left)
    rules.violate(
      field,
      `must ask for no more than the share ${left} that is left of the instances, it asks for ${share}`,
    );
}

function checkCriterion({criterion, rule}: Selection, rules: FieldRules): void {
  if ('metric' in criterion) {
    if (criterion.order === 'both-ends' && rule === 'upstream-quantile')
      rules.violate('selection.rule', 'must be RULE_RANK or RULE_CARTOGRAPHY_HEAD for ORDER_BOTH_ENDS');
    checkScalar('selection.metric.metric', criterion.metric, rules);
  }
  if ('anyOf' in criterion && criterion.anyOf.length + criterion.noneOf.length === 0)
    rules.violate('selection.regions', 'must name at least one region');
  if ('stratified' in criterion) {
    const {metric, hardestShareDropped, numStrata} = criterion.stratified;
    checkScalar('selection.stratified.metric', metric, rules);
    const isShare = (share: number) => share >= 0 && share < 1;
    rules.number('selection.stratified.hardest_share_dropped', hardestShareDropped, isShare, 'from 0 to less than 1');
    rules.integer('selection.stratified.strata', numStrata, 1, most);
  }
  if ('clustered' in criterion) {
    rules.integer('selection.clustered.clusters', criterion.clustered.numClusters, 1, most);
    rules.integer('selection.clustered.iterations', criterion.clustered.numIterations, 1, most);
  }
}

function checkScalar(field: string, metric: InstanceMetric, rules: FieldRules): void {
  if (metric === 'loss-trajectory')
    rules.violate(field, 'must be one value an instance, LOSS_TRAJECTORY has one an epoch');
}
