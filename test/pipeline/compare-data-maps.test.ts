// Two data maps → what they have in common, against the parity kit and by hand.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {buildDataMap} from '../../src/pipeline/build-data-map.js';
import {compareDataMaps, overlapOf, spearman} from '../../src/pipeline/compare-data-maps.js';
import {selectSubset} from '../../src/pipeline/select-subset.js';
import type {DataMap, Selection} from '../../src/pipeline/types.js';
import {needsShared} from '../support/shared.js';
import {close} from './close.js';
import {dynamicsFromPTrue, mapOf, parityCases, range} from './parity-cases.js';

const third: Selection = {criterion: {region: 'ambiguous'}, fraction: 0.33, rule: 'upstream-quantile', seed: 0};
const compared = (map: DataMap, selection = third) => ({
  ...map,
  selection,
  selected: selectSubset(map, selection).instances,
});

test('a strong and a weak reference overlap as in the parity kit', {skip: needsShared}, () => {
  const {strong_p, weak_p, expected} = parityCases().transfer_case;
  const [strong, weak] = [strong_p, weak_p].map(pTrue => compared(buildDataMap(dynamicsFromPTrue(pTrue))));
  const found = compareDataMaps(strong, weak);
  for (const [overlap, wanted] of [
    [found.ambiguous, expected.ambiguous_strong_vs_weak],
    [found.hardToLearn, expected.hard_strong_vs_weak],
  ] as const) {
    assert.equal(overlap.sharedCount, wanted.intersection.length);
    close(
      [overlap.jaccard, overlap.overlap, overlap.otherOverlap, overlap.chanceOverlap],
      [wanted.jaccard, wanted.overlap_of_first, wanted.overlap_of_second, wanted.chance_expected_overlap_of_first],
      1e-12,
      'ratio',
    );
  }
  close([found.easyRatio, found.otherEasyRatio], [expected.strong.easy_fraction, expected.weak.easy_fraction], 1e-12);
  assert.equal(
    found.agreement.counts.reduce((sum, count) => sum + count, 0),
    strong_p.length,
  );
});

test('a map agrees with itself wholly', () => {
  const map = compared(mapOf([5, 4, 3, 2, 1, 0], [0.1, 0.2, 0.9, 0.8, 0.7, 0.6]));
  const {selected, ambiguous, hardToLearn, agreement, ...found} = compareDataMaps(map, map);
  for (const overlap of [selected, ambiguous, hardToLearn])
    assert.deepEqual([overlap.overlap, overlap.jaccard], [1, 1]);
  close([found.confidenceSpearman, found.variabilitySpearman, agreement.ratio, agreement.kappa], [1, 1, 1, 1], 1e-12);
});

test('the agreement of regions is a matrix of four cells by four, with its kappa', () => {
  const one = compared(mapOf([4, 3, 2, 1], [0.4, 0.1, 0.2, 0.3]), {...third, fraction: 0.5, rule: 'rank'});
  const other = compared(mapOf([4, 1, 2, 3], [0.4, 0.1, 0.2, 0.3]), {...third, fraction: 0.5, rule: 'rank'});
  // First map: ambiguous 0, both 1, hard 2, easy 3. Second: ambiguous 0 and 3, hard 1 and 2.
  const {counts, ratio, kappa} = compareDataMaps(one, other).agreement;
  assert.deepEqual(counts, [1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0]);
  assert.equal(ratio, 0.5);
  close([kappa], [(0.5 - 0.25) / (1 - 0.25)], 1e-12);
});

test('empty subsets overlap by no number', () => {
  const none = overlapOf(range(0), range(0), 10);
  assert.deepEqual([none.overlap, none.otherOverlap, none.jaccard, none.chanceOverlap], [NaN, NaN, NaN, 0]);
});

test("Spearman's correlation gives ties their mean rank, and is no number for a constant or undefined side", () => {
  // Ranks 1 2.5 2.5 4 5 and 1 2 3.5 5 3.5.
  close([spearman(Float32Array.of(1, 2, 2, 4, 5), Float32Array.of(5, 6, 7, 8, 7))], [7.25 / 9.5], 1e-12);
  close([spearman(Float32Array.of(1, 2, 3), Float32Array.of(3, 2, 1))], [-1], 1e-12);
  assert.ok(Number.isNaN(spearman(Float32Array.of(1, 1), Float32Array.of(1, 2))));
  assert.ok(Number.isNaN(spearman(Float32Array.of(1, Number.NaN), Float32Array.of(1, 2))));
});
