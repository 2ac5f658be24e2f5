// Data map → subset, to the last tie, against libtorch (parity kit) and by hand.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {buildDataMap} from '../../src/pipeline/build-data-map.js';
import {compareDataMaps, overlapOf} from '../../src/pipeline/compare-data-maps.js';
import {selectSubset} from '../../src/pipeline/select-subset.js';
import type {Region, Selection} from '../../src/pipeline/types.js';
import {permutation, randomStream} from '../../src/random.js';
import {needsShared} from '../support/shared.js';
import {close} from './close.js';
import {dynamicsFromPTrue, dynamicsOf, eachMapCase, mapOf, parityCases} from './parity-cases.js';

const selection = (region: Region, fraction: number, rule: Selection['rule'] = 'upstream-quantile'): Selection => ({
  criterion: {region},
  fraction,
  rule,
  seed: 0,
});

for (const mapCase of eachMapCase())
  test(`the regions of ${mapCase?.id ?? 'every parity case'} equal libtorch's`, {skip: needsShared}, () => {
    const {expected, input} = mapCase!;
    const map = buildDataMap(dynamicsOf(mapCase!));
    const select = (region: Region) => selectSubset(map, selection(region, input.q));
    const float32 = expected.torch_2_0_1_float32;
    assert.deepEqual([...select('ambiguous').instances], expected.selected_ambiguous);
    assert.deepEqual([...select('hard-to-learn').instances], expected.selected_hard_to_learn);
    assert.deepEqual([...select('easy-complement').instances], expected.easy_complement);
    assert.equal(select('random').instances.length, expected.random_count);
    if (input.logits) assert.deepEqual([...select('error-set').instances], expected.jtt_error_set_last_epoch);
    const {ambiguous, hardToLearn, easyRatio} = compareDataMaps(
      {...map, selection: selection('ambiguous', input.q), selected: select('ambiguous').instances},
      {...map, selection: selection('ambiguous', input.q), selected: select('hard-to-learn').instances},
    );
    const {intersection, jaccard, easy_fraction} = expected.overlap_ambiguous_hard;
    const both = overlapOf(select('ambiguous').instances, select('hard-to-learn').instances, map.numInstances);
    assert.equal(both.sharedCount, intersection.length);
    close([both.jaccard], [jaccard ?? Number.NaN], 1e-12, 'Jaccard index');
    close([easyRatio], [easy_fraction], 1e-12, 'easy fraction');
    assert.equal(ambiguous.sharedCount, expected.selected_ambiguous.length);
    assert.equal(hardToLearn.sharedCount, expected.selected_hard_to_learn.length);
    if (input.logits) return;
    assert.equal(select('ambiguous').threshold ?? null, float32.amb_threshold);
    assert.equal(select('hard-to-learn').threshold ?? null, float32.hard_threshold);
  });

test('as many of N distinct scores pass as in libtorch, and as many are drawn at random', {skip: needsShared}, () => {
  for (const {N, ...counts} of parityCases().selection_counts.rows) {
    const map = mapOf(Array.from({length: N}, (_, i) => i));
    for (const [q, {torch_float32, random_int_floor, cartography_head}] of Object.entries(counts)) {
      const count = (region: Region, rule?: Selection['rule']) =>
        selectSubset(map, selection(region, Number(q), rule)).instances.length;
      assert.equal(count('ambiguous'), torch_float32, `N = ${N}, q = ${q}`);
      assert.equal(count('random'), random_int_floor, `random, N = ${N}, q = ${q}`);
      assert.equal(count('ambiguous', 'cartography-head'), cartography_head, `cartography, N = ${N}, q = ${q}`);
    }
  }
  for (const [N, q, inFloat32, inFloat64] of parityCases().selection_counts.float32_vs_float64_differences) {
    const map = mapOf(Array.from({length: N}, (_, i) => i));
    assert.equal(selectSubset(map, selection('ambiguous', Number(q))).instances.length, inFloat32);
    assert.notEqual(inFloat32, inFloat64);
  }
});

test('a block of equal scores that reaches the top leaves nothing, and the ties are counted', () => {
  const subset = selectSubset(mapOf([0.1, 0.5, 0.2, 0.5, 0.5]), selection('ambiguous', 0.4));
  assert.deepEqual([...subset.instances], []);
  assert.equal(subset.requestedCount, 2);
  assert.equal(subset.threshold, 0.5);
  assert.equal(subset.thresholdTieCount, 3);
});

test('the rank rule takes exactly round(q N), halves up, the lower index first among equals', () => {
  const map = mapOf([0.1, 0.5, 0.2, 0.5, 0.5]);
  const two = selectSubset(map, selection('ambiguous', 0.4, 'rank'));
  assert.deepEqual([...two.instances], [1, 3]);
  assert.equal(two.thresholdTieCount, 3);
  assert.deepEqual([...selectSubset(map, selection('ambiguous', 0.5, 'rank')).instances], [1, 3, 4]);
  assert.deepEqual([...selectSubset(map, selection('ambiguous', 1, 'rank')).instances], [0, 1, 2, 3, 4]);
  assert.deepEqual([...selectSubset(map, selection('ambiguous', 0, 'rank')).instances], []);
  assert.deepEqual([...selectSubset(map, selection('hard-to-learn', 0.4, 'rank')).instances], [0, 2]);
  assert.equal(selectSubset(map, selection('random', 0.5, 'rank')).instances.length, 3);
});

test('one undefined score empties the selection, by either rule', () => {
  for (const rule of ['upstream-quantile', 'rank'] as const) {
    const subset = selectSubset(mapOf([0.1, Number.NaN, 0.3, 0.4]), selection('ambiguous', 0.5, rule));
    assert.equal(subset.instances.length, 0);
    assert.equal(subset.threshold, undefined);
  }
});

test('the threshold is interpolated from the nearer end, with one rounding', () => {
  const {threshold} = selectSubset(mapOf([-1, 1e-8]), selection('ambiguous', 0.25));
  assert.equal(threshold, Math.fround(Math.fround(1e-8) - 0.25));
  assert.notEqual(threshold, -0.25);
});

test('easy-to-learn takes the highest confidence, hard-to-learn the lowest', () => {
  const map = mapOf([0, 0, 0, 0], [0.9, 0.2, 0.5, 0.7]);
  assert.deepEqual([...selectSubset(map, selection('easy-to-learn', 0.5)).instances], [0, 3]);
  assert.deepEqual([...selectSubset(map, selection('hard-to-learn', 0.5)).instances], [1, 2]);
});

test('a random selection depends on its seed alone and is ascending', () => {
  const map = mapOf(Array.from({length: 1000}, (_, i) => i));
  const draw = (seed: number) => [...selectSubset(map, {...selection('random', 0.33), seed}).instances];
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
  assert.deepEqual(
    draw(1),
    [...draw(1)].sort((a, b) => a - b),
  );
  assert.equal(new Set(draw(1)).size, 330);
  const stream = permutation(1000, randomStream(1, 'selection'));
  assert.deepEqual(new Set(draw(1)), new Set(stream.slice(0, 330)));
});

test('a metric can be ranked from either end, and its scores and threshold are the metric itself', () => {
  const map = buildDataMap(
    dynamicsFromPTrue([
      [0.9, 0.8],
      [0.1, 0.2],
      [0.6, 0.4],
      [0.7, 0.9],
    ]),
  );
  const criterion = {metric: 'confidence', order: 'lowest-first'} as const;
  const lowest = selectSubset(map, {criterion, fraction: 0.5, rule: 'rank', seed: 0});
  assert.deepEqual([...lowest.instances], [1, 2]);
  assert.equal(lowest.threshold, 0.5);
  assert.deepEqual(lowest.scores, map.confidence);
  const closeness = {metric: 'threshold-closeness', order: 'highest-first'} as const;
  const closest = selectSubset(map, {criterion: closeness, fraction: 0.25, rule: 'rank', seed: 0});
  assert.deepEqual([...closest.instances], [2]);
  assert.equal(closest.threshold, 0.25);
  const rightness = {metric: 'correctness', order: 'lowest-first'} as const;
  const wrong = selectSubset(map, {criterion: rightness, fraction: 0.5, rule: 'rank', seed: 0});
  assert.deepEqual([...wrong.instances], [1, 2]);
  assert.deepEqual([...wrong.scores!], [2, 0, 1, 2]);
});

test('an instance that was never right ranks above all that were forgotten', () => {
  const map = buildDataMap(
    dynamicsFromPTrue([
      [0.9, 0.1, 0.9, 0.1],
      [0.1, 0.1, 0.1, 0.1],
      [0.9, 0.9, 0.9, 0.9],
    ]),
  );
  const criterion = {metric: 'forgetting', order: 'highest-first'} as const;
  const subset = selectSubset(map, {criterion, fraction: 0.34, rule: 'rank', seed: 0});
  assert.deepEqual([...subset.instances], [1]);
  assert.deepEqual([...subset.scores!], [2, 1000, 0]);
});
