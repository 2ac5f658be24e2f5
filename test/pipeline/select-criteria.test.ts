// Data map → subset by cartography's rule, joined regions, samplings and class by class.
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {test} from 'node:test';
import {labelShift} from '../../src/pipeline/class-balance.js';
import {selectSubset} from '../../src/pipeline/select-subset.js';
import type {Criterion, DataMap, InstanceMetric, Selection} from '../../src/pipeline/types.js';
import {needsShared} from '../support/shared.js';
import {mapOf, parityCases, winograndeMap, winograndeRows} from './parity-cases.js';

const select = (
  map: DataMap,
  criterion: Criterion,
  rest: Partial<Selection> = {},
  input: Parameters<typeof selectSubset>[2] = {},
) => selectSubset(map, {criterion, fraction: 0.5, rule: 'rank', seed: 0, ...rest}, input);
const ranking = (metric: InstanceMetric, order: 'highest-first' | 'lowest-first' | 'both-ends') => ({metric, order});
const ascending = (instances: Iterable<number>) => [...instances].sort((a, b) => a - b);

test("cartography's head has one row more than asked for, from either end", {skip: needsShared}, () => {
  const {confidence, fraction, expected, both_ends} = parityCases().cartography_filter;
  const map = mapOf(confidence);
  const head = {fraction, rule: 'cartography-head'} as const;
  const hard = select(map, ranking('confidence', 'lowest-first'), head);
  assert.deepEqual([...hard.instances], ascending(expected.hard_ascending));
  assert.equal(hard.instances.length, expected.rows_written);
  const easy = select(map, ranking('confidence', 'highest-first'), head);
  assert.deepEqual([...easy.instances], ascending(expected.easy_worst_descending));
  for (const rule of ['cartography-head', 'rank'] as const) {
    const ends = select(map, ranking('confidence', 'both-ends'), {fraction: both_ends.fraction, rule});
    assert.deepEqual([...ends.instances], ascending(both_ends.expected));
  }
});

test("the published WinoGrande map gives cartography's own selections", {skip: needsShared}, () => {
  const rows = winograndeRows();
  const {winogrande} = parityCases();
  const expected = winogrande.cartography_rule_fraction_0_3319_stable_sort;
  const map = winograndeMap(rows);
  const digest = (criterion: Criterion) => {
    const {instances} = select(map, criterion, {fraction: 0.3319, rule: 'cartography-head'});
    assert.equal(instances.length, expected.rows);
    const guids = ascending(Array.from(instances, i => rows[i].guid));
    return createHash('sha256').update(guids.join('\n')).digest('hex');
  };
  assert.equal(digest({region: 'ambiguous'}), expected.ambiguous_sha256);
  assert.equal(digest({region: 'hard-to-learn'}), expected.hard_sha256);
  assert.equal(digest({region: 'easy-to-learn'}), expected.easy_worst_sha256);

  const mean = (column: Float32Array) => column.reduce((sum, value) => sum + value, 0) / column.length;
  assert.equal(rows.length, winogrande.rows);
  assert.ok(Math.abs(mean(map.confidence) - winogrande.mean_confidence) < 1e-6);
  assert.ok(Math.abs(mean(map.variability) - winogrande.mean_variability) < 1e-6);
  for (const [count, number] of Object.entries(winogrande.correctness_histogram))
    assert.equal(map.correctness.filter(right => right === Number(count)).length, number);
  assert.equal(new Set(rows.map(row => row.variability)).size, winogrande.ties.distinct_variability);
  assert.equal(new Set(rows.map(row => row.confidence)).size, winogrande.ties.distinct_confidence);
  const upstream = selectSubset(map, {
    criterion: {region: 'ambiguous'},
    fraction: 0.33,
    rule: 'upstream-quantile',
    seed: 0,
  });
  assert.deepEqual(
    Array.from(upstream.instances.subarray(0, 10), i => rows[i].guid),
    winogrande.nlpsoc_rule_q33.first_ten_ambiguous_in_file_order,
  );
});

test('both ends are 70 % of the informative one: the low one of confidence, the high one of variability', () => {
  const map = mapOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const ends = (metric: InstanceMetric) => [...select(map, ranking(metric, 'both-ends'), {count: 4}).instances];
  assert.deepEqual(ends('confidence'), [0, 1, 8, 9]);
  assert.deepEqual(ends('variability'), [0, 1, 8, 9]);
  assert.deepEqual([...select(map, ranking('variability', 'both-ends'), {count: 5}).instances], [0, 1, 7, 8, 9]);
  const tied = mapOf([1, 1, 1, 1]);
  assert.deepEqual([...select(tied, ranking('confidence', 'both-ends'), {count: 2}).instances], [0, 3]);
  const undefinedScore = mapOf([1, Number.NaN, 1]);
  assert.equal(select(undefinedScore, ranking('variability', 'both-ends')).instances.length, 0);
});

test('a count selects as the share that it is', () => {
  const map = mapOf([5, 4, 3, 2, 1]);
  assert.deepEqual([...select(map, {region: 'ambiguous'}, {fraction: 0, count: 2}).instances], [0, 1]);
  const quantile = select(map, {region: 'ambiguous'}, {fraction: 0, count: 2, rule: 'upstream-quantile'});
  assert.deepEqual([...quantile.instances], [0, 1]);
  assert.equal(quantile.requestedCount, 2);
  assert.equal(select(map, {region: 'random'}, {count: 3}).instances.length, 3);
  assert.equal(select(map, {region: 'ambiguous'}, {count: 9}).instances.length, 5);
});

test('ties decide where some of equal score are in and others out, and where the quantile leaves several out', () => {
  const map = mapOf([3, 2, 2, 1, 0]);
  const decides = (selection: Partial<Selection>) => select(map, {region: 'ambiguous'}, selection).doTiesDecide;
  assert.equal(decides({count: 1}), false);
  assert.equal(decides({count: 2}), true);
  assert.equal(decides({count: 3}), false);
  assert.equal(decides({fraction: 0.5, rule: 'upstream-quantile'}), true, 'the median is 2');
  assert.equal(decides({fraction: 0.25, rule: 'upstream-quantile'}), true, 'the third of five is at the quantile');
  assert.equal(decides({fraction: 0.75, rule: 'upstream-quantile'}), false, 'one score is at the quantile');
});

test('regions can be joined and taken from one another', () => {
  const map = mapOf([9, 8, 1, 2, 3, 4], [0.9, 0.1, 0.2, 0.8, 0.5, 0.6]);
  const joined = (anyOf: string[], noneOf: string[] = []) =>
    [...select(map, {anyOf, noneOf} as Criterion, {count: 2}).instances].join('');
  assert.equal(joined(['ambiguous']), '01');
  assert.equal(joined(['hard-to-learn']), '12');
  assert.equal(joined(['ambiguous', 'hard-to-learn']), '012');
  assert.equal(joined(['ambiguous'], ['hard-to-learn']), '0');
  assert.equal(joined([], ['ambiguous', 'hard-to-learn']), '345');
  assert.equal(joined(['easy-complement']), '345');
});

test('the error set is what was wrong at the last epoch, whatever the share', () => {
  const map = mapOf([1, 2, 3], undefined, {isWrongAtLast: Uint8Array.of(1, 0, 1)});
  assert.deepEqual([...select(map, {region: 'error-set'}, {fraction: 0.01}).instances], [0, 2]);
});

test('strata of a score get equal budgets, the smallest first, without the hardest share', () => {
  // Three strata of [0, 1): 2 instances below 1/3, 6 below 2/3, 12 above; the two hardest are left out.
  const confidence = [
    0,
    0.01,
    0.1,
    0.2,
    0.35,
    0.4,
    0.45,
    0.5,
    0.6,
    0.62,
    ...Array.from({length: 10}, (_, i) => 0.7 + i / 30),
  ];
  const map = mapOf(confidence);
  const stratified = {metric: 'confidence', hardestShareDropped: 0.1, numStrata: 3} as const;
  const draw = (seed: number, count = 12) => select(map, {stratified}, {count, seed}).instances;
  const sizes = (instances: Int32Array) => [
    instances.filter(i => confidence[i] < 0.35).length,
    instances.filter(i => confidence[i] >= 0.35 && confidence[i] < 0.65).length,
    instances.filter(i => confidence[i] >= 0.65).length,
  ];
  assert.deepEqual(sizes(draw(0)), [2, 5, 5]);
  assert.deepEqual(sizes(draw(0, 18)), [2, 6, 10]);
  assert.ok(!draw(0, 18).includes(0) && !draw(0, 18).includes(1), 'the hardest two');
  assert.deepEqual(draw(0), draw(0));
  assert.notDeepEqual(draw(0), draw(1));
  const same = select(mapOf([1, 1, 1, 1]), {stratified: {...stratified, hardestShareDropped: 0}}, {count: 2});
  assert.equal(same.instances.length, 2);
});

test('clusters of loss trajectories get equal budgets', () => {
  // Ten flat trajectories, four that fall, two that rise.
  const rows = [...new Array(10).fill([1, 1, 1]), ...new Array(4).fill([3, 1, 0]), ...new Array(2).fill([0, 2, 5])];
  const trajectories = Float32Array.from(rows.flatMap((row, i) => row.map((loss: number) => loss + i / 1000)));
  const map = mapOf(
    rows.map(() => 1),
    undefined,
    {scores: {'loss-trajectory': trajectories}},
  );
  const clustered = {numClusters: 3, numIterations: 20};
  const {instances} = select(map, {clustered}, {count: 7, seed: 3});
  const taken = (first: number, end: number) => instances.filter(i => i >= first && i < end).length;
  assert.deepEqual([taken(0, 10), taken(10, 14), taken(14, 16)], [3, 2, 2]);
  const clusters = Int32Array.from(rows, (_, i) => (i === 0 ? 1 : 0));
  assert.ok(select(map, {clustered}, {count: 2, seed: 1}, {clusters}).instances.includes(0), 'clusters that are given');
  assert.equal(select(map, {clustered: {numClusters: 100, numIterations: 1}}, {count: 5}).instances.length, 5);
});

test('a class-balanced selection takes its share of each class, or as many of each as there are', () => {
  // Class 0 has the eight highest scores.
  const labels = [...new Array(8).fill(0), ...new Array(4).fill(1)];
  const map = mapOf(Array.from({length: 12}, (_, i) => 12 - i));
  const balanced = (classBalance: 'none' | 'proportional' | 'equal', rest: Partial<Selection> = {}) =>
    select(map, {region: 'ambiguous'}, {classBalance, ...rest}, {labels});
  assert.deepEqual([...balanced('none').instances], [0, 1, 2, 3, 4, 5]);
  assert.deepEqual([...balanced('proportional').instances], [0, 1, 2, 3, 8, 9]);
  assert.deepEqual([...balanced('equal').instances], [0, 1, 2, 8, 9, 10]);
  assert.deepEqual([...balanced('equal', {count: 10}).instances], [0, 1, 2, 3, 4, 5, 8, 9, 10, 11]);
  assert.equal(balanced('proportional').threshold, undefined);
  assert.equal(balanced('proportional').requestedCount, 6);
  const metric = select(map, ranking('variability', 'lowest-first'), {classBalance: 'equal', count: 2}, {labels});
  assert.deepEqual([...metric.instances], [7, 11]);
  assert.equal(metric.scores?.length, 12);
});

test('a shift of labels is half the sum of the differences of shares', () => {
  assert.equal(labelShift({selected: [1, 1], all: [10, 10]}), 0);
  assert.equal(labelShift({selected: [3, 1], all: [10, 10]}), 0.25);
  assert.equal(labelShift({selected: [4, 0, 0], all: [0, 3, 1]}), 1);
  assert.equal(labelShift({selected: [0, 0], all: [3, 1]}), 0);
});
