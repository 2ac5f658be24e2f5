// Data map → diagnostics and verdict.
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {test} from 'node:test';
import {buildDataMap} from '../../src/pipeline/build-data-map.js';
import {defaultThresholds, diagnose} from '../../src/pipeline/diagnose.js';
import {selectSubset} from '../../src/pipeline/select-subset.js';
import type {DataMap, Region, Selection} from '../../src/pipeline/types.js';
import {needsShared} from '../support/shared.js';
import {dynamicsFromPTrue, mapOf, parityCases, winograndeMap, winograndeRows} from './parity-cases.js';

const third: Selection = {criterion: {region: 'ambiguous'}, fraction: 0.33, rule: 'upstream-quantile', seed: 0};

test('the published WinoGrande map gives its 13,331 ambiguous and hard instances and 57.45 % easy ones', {
  skip: needsShared,
}, () => {
  const expected = parityCases().winogrande.nlpsoc_rule_q33;
  const rows = winograndeRows();
  const map = winograndeMap(rows);
  const select = (region: Region) => selectSubset(map, {...third, criterion: {region}});
  const digest = (region: Region) => {
    const guids = Array.from(select(region).instances, i => rows[i].guid).sort((a, b) => a - b);
    return createHash('sha256').update(guids.join('\n')).digest('hex');
  };
  assert.equal(select('ambiguous').threshold, expected.ambiguous_threshold_f32);
  assert.equal(select('hard-to-learn').threshold, expected.hard_threshold_f32);
  assert.equal(select('ambiguous').instances.length, 13_331);
  assert.equal(digest('ambiguous'), expected.ambiguous_sorted_guid_sha256);
  assert.equal(digest('hard-to-learn'), expected.hard_sorted_guid_sha256);
  assert.equal(digest('easy-complement'), expected.easy_sorted_guid_sha256);
  const diagnostics = diagnose(map, third);
  assert.equal(diagnostics.easyRatio.toFixed(10), expected.easy_fraction.toFixed(10));
  assert.equal(diagnostics.hardAmbiguousOverlap, expected.ambiguous_and_hard / expected.ambiguous_count);
  assert.equal(diagnostics.neverLearnedRatio, 27 / rows.length);
  assert.equal(diagnostics.verdict, 'effective');
  assert.match(diagnostics.verdictReason, /71\.1 % of 13331 .*chance 33\.0 %/);
});

test('a strong and a weak reference get the easy ratio and overlap of the parity kit', {skip: needsShared}, () => {
  const {q, strong_p, weak_p, expected} = parityCases().transfer_case;
  for (const [pTrue, wanted] of [
    [strong_p, expected.strong],
    [weak_p, expected.weak],
  ] as const) {
    const map = buildDataMap(dynamicsFromPTrue(pTrue));
    const select = (region: Region) => [...selectSubset(map, {...third, fraction: q, criterion: {region}}).instances];
    assert.deepEqual(select('ambiguous'), wanted.ambiguous);
    assert.deepEqual(select('hard-to-learn'), wanted.hard);
    assert.deepEqual(select('easy-complement'), wanted.easy_ids);
    const diagnostics = diagnose(map, {...third, fraction: q});
    assert.ok(Math.abs(diagnostics.easyRatio - wanted.easy_fraction) < 1e-9);
    assert.equal(diagnostics.hardAmbiguousOverlap, wanted.ambiguous_hard_overlap);
    assert.equal(diagnostics.verdict, 'ineffective');
  }
});

/** 900 instances in thirds; `numShared` of the 300 ambiguous ones are among the 300 hard ones. */
function overlapping(numShared: number): DataMap {
  const isAmbiguous = (i: number) => i < 300;
  const isHard = (i: number) => i >= 300 - numShared && i < 600 - numShared;
  const pTrue = Array.from({length: 900}, (_, i) => {
    const mean = (isHard(i) ? 0.2 : 0.8) + i * 1e-5;
    const spread = (isAmbiguous(i) ? 0.1 : 0.01) + i * 1e-5;
    return [mean - spread, mean + spread];
  });
  return buildDataMap(dynamicsFromPTrue(pTrue));
}

test('the verdict goes from ineffective at chance over doubtful to effective with the overlap', () => {
  const verdict = (numShared: number) => diagnose(overlapping(numShared), {...third, fraction: 1 / 3, rule: 'rank'});
  assert.equal(verdict(20).verdict, 'ineffective');
  assert.equal(verdict(100).verdict, 'ineffective');
  assert.equal(verdict(105).verdict, 'ineffective');
  assert.equal(verdict(130).verdict, 'doubtful');
  assert.equal(verdict(149).verdict, 'doubtful');
  assert.equal(verdict(151).verdict, 'effective');
  assert.equal(verdict(300).verdict, 'effective');
  assert.equal(verdict(300).hardAmbiguousOverlap, 1);
  assert.ok(Math.abs(verdict(300).easyRatio - 2 / 3) < 1e-9);
});

test('regions are taken at the fraction and by the rule of the selection, whatever it selects', () => {
  const random: Selection = {criterion: {region: 'random'}, fraction: 0.1, rule: 'rank', seed: 3};
  const diagnostics = diagnose(overlapping(300), random);
  assert.deepEqual(diagnostics, diagnose(overlapping(300), {...random, criterion: {region: 'ambiguous'}}));
  assert.match(diagnostics.verdictReason, /of 90 ambiguous/);
});

test("chance is hard-to-learn's share, also where ties shrink the ambiguous region", () => {
  const pTrue = [
    [0.8, 1],
    [0.5, 0.5],
    [0.4, 0.4],
    [0.3, 0.3],
    [0.2, 0.2],
    [0.1, 0.1],
  ];
  const diagnostics = diagnose(buildDataMap(dynamicsFromPTrue(pTrue)), {...third, fraction: 0.5});
  assert.match(diagnostics.verdictReason, /^0\.0 % of 1 ambiguous .*chance 50\.0 %/);
});

test('one epoch, an empty region and a region of everything leave the verdict undecided', () => {
  const oneEpoch = buildDataMap(dynamicsFromPTrue([[0.1], [0.9], [0.4]]));
  assert.match(diagnose(oneEpoch, third).verdictReason, /at least 2 epochs, the map has 1/);
  const constant = buildDataMap(
    dynamicsFromPTrue([
      [0.5, 0.5],
      [0.9, 0.9],
      [0.4, 0.4],
    ]),
  );
  assert.match(diagnose(constant, third).verdictReason, /ambiguous region is empty/);
  assert.match(diagnose(overlapping(9), {...third, fraction: 1, rule: 'rank'}).verdictReason, /holds all 900/);
  for (const map of [oneEpoch, constant]) assert.equal(diagnose(map, third).verdict, 'undecided');
});

const counts = {selected: [60, 30], all: [500, 400]};

test('a reference no better than the most frequent class is ineffective, and a weak one doubtful at best', () => {
  const judged = (inDistributionAccuracy: number | undefined, numShared = 300) =>
    diagnose(
      overlapping(numShared),
      {...third, fraction: 1 / 3, rule: 'rank'},
      {classCounts: counts, inDistributionAccuracy},
    );
  // The majority is 500 of 900; a quarter of the way from there to 1 is 2/3.
  assert.equal(judged(0.55).verdict, 'ineffective');
  assert.equal(judged(0.66).verdict, 'doubtful');
  assert.equal(judged(0.67).verdict, 'effective');
  assert.equal(judged(0.67).verdictReason, judged(undefined).verdictReason);
  assert.match(
    judged(0.66).verdictReason,
    /^the reference is right on 66\.0 % .* 55\.6 % and 66\.7 % would do; 100\.0 % of 300/,
  );
  assert.match(judged(0.66).warnings[0], /^The reference is right on 66\.0 %/);
  assert.equal(judged(0.99, 100).verdict, 'ineffective', 'accuracy does not make up for chance overlap');
});

test('a reference that is right on no more than the most frequent class learnt nothing, whatever its noise looks like', () => {
  const judged = (all: number[]) =>
    diagnose(overlapping(300), {...third, fraction: 1 / 3, rule: 'rank'}, {classCounts: {selected: [150, 150], all}});
  // 600 of the 900 are right.
  assert.equal(judged([600, 300]).verdict, 'ineffective');
  assert.match(
    judged([600, 300]).verdictReason,
    /^the reference has learnt nothing: in its last epoch it was right on 66\.7 % of the instances, and the most frequent class makes 66\.7 %; 100\.0 %/,
  );
  assert.equal(judged([599, 301]).verdict, 'effective');
});

test('the reason tells overlap below chance, and a reference that had not finished, apart', () => {
  const reason = (numShared: number, lastEpochGain: number) =>
    diagnose(
      overlapping(numShared),
      {...third, fraction: 1 / 3, rule: 'rank'},
      {thresholds: {...defaultThresholds, lastEpochGain}},
    ).verdictReason;
  // Mean p_true rises by 0.08 in the second and last epoch.
  const unfinished = ', and the reference was still learning when it ended';
  assert.match(reason(20, 1), /too: below chance, so it is easy instances that look ambiguous \(chance/);
  assert.match(reason(100, 1), /too: no more than chance, so hard instances are not being learnt \(chance/);
  assert.match(reason(100, 0), new RegExp(`are not being learnt${unfinished} \\(chance`));
  assert.match(reason(130, 0), new RegExp(`but not clearly${unfinished} \\(chance`));
  assert.doesNotMatch(reason(300, 0), new RegExp(unfinished));
});

test('thresholds are those that are given', () => {
  const judged = (thresholds: Partial<typeof defaultThresholds>) =>
    diagnose(
      overlapping(140),
      {...third, fraction: 1 / 3, rule: 'rank'},
      {
        classCounts: counts,
        inDistributionAccuracy: 0.6,
        thresholds: {...defaultThresholds, lastEpochGain: 1, neverLearned: 1, labelShift: 0.12, ...thresholds},
      },
    );
  assert.equal(judged({}).verdict, 'doubtful');
  assert.equal(judged({overlapExcess: 0.15, accuracySkill: 0.05}).verdict, 'effective');
  assert.equal(judged({overlapExcess: 0.15}).verdict, 'doubtful');
  assert.equal(judged({}).warnings.length, 1);
  assert.equal(judged({accuracySkill: 0.05}).warnings.length, 0);
  assert.match(
    judged({labelShift: 0.05}).warnings[1],
    /labels of the selection differ .* by 11\.1 % \(more than 5\.0 %\)/,
  );
});

test('the signatures of a map that will not serve are warned of', () => {
  const falling = dynamicsFromPTrue(Array.from({length: 10}, (_, i) => [0.1 + i / 100, 0.1, 0.3 + i / 50]));
  const map = buildDataMap(falling);
  const {warnings, lastEpochGain} = diagnose(map, {...third, rule: 'rank'});
  assert.ok(Math.abs(lastEpochGain! - 0.29) < 1e-6);
  assert.ok(warnings.some(text => /has not converged: mean p_true still rose by 0\.290/.test(text)));
  assert.ok(warnings.some(text => /100\.0 % of the instances were right at no epoch/.test(text)));
  assert.ok(warnings.some(text => /^Few instances are easy: 40\.0 % .* fewer than the 49\.0 %/.test(text)));
  assert.equal(diagnose(buildDataMap(falling, {burnOut: 1}), third).lastEpochGain, undefined);
});

test('ties, undefined scores and an empty selection are warned of', () => {
  const warned = (variability: number[], rest: Partial<Selection> = {}) => {
    const map = mapOf(variability);
    const selection: Selection = {...third, fraction: 0.4, ...rest};
    return diagnose(map, selection, {subset: selectSubset(map, selection)}).warnings.join('\n');
  };
  assert.match(
    warned([0.1, 0.5, 0.2, 0.5, 0.5]),
    /Nothing is selected of the 2 asked for\nTies decide: 3 instances \(60\.0 %\) .* all of them are left out/,
  );
  assert.match(
    warned([0.1, 0.5, 0.2, 0.5, 0.5], {rule: 'rank'}),
    /Ties decide: 3 .* those with the lower index are in/,
  );
  assert.doesNotMatch(warned([0.1, 0.5, 0.2, 0.4, 0.3]), /Ties|Nothing/);
  const criterion = {metric: 'variability', order: 'highest-first'} as const;
  assert.match(warned([0.1, Number.NaN, 0.2], {criterion}), /1 of 3 scores are not defined/);
});
