// Dynamics → the scores of the catalogue, against the parity kit and by hand.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {buildDataMap} from '../../src/pipeline/build-data-map.js';
import {columnScore, isColumnMetric} from '../../src/pipeline/instance-scores.js';
import type {InstanceMetric, TrainingDynamics} from '../../src/pipeline/types.js';
import {needsShared} from '../support/shared.js';
import {close} from './close.js';
import {dynamicsFromPTrue, dynamicsOf, eachMapCase, numbers, parityCases} from './parity-cases.js';

/** One score over some epochs; all when left out. */
function score(dynamics: TrainingDynamics, metric: InstanceMetric, epoch?: number): Float32Array {
  const epochs = epoch === undefined ? undefined : {first: epoch, last: epoch};
  const map = buildDataMap(dynamics, {metrics: [metric], epochs});
  return isColumnMetric(metric) ? columnScore(map, metric) : map.scores[metric]!;
}

/** Of [instance][epoch] values. */
const column = (rows: number[][], epoch: number): number[] => rows.map(row => row[epoch]);

for (const mapCase of eachMapCase())
  test(`the scores of ${mapCase?.id ?? 'every parity case'} equal those of the parity kit`, {skip: needsShared}, () => {
    const {expected, input} = mapCase!;
    const dynamics = dynamicsOf(mapCase!);
    const equals = (metric: InstanceMetric, values: (number | null)[], tolerance = 1e-6) =>
      close(score(dynamics, metric), numbers(values), tolerance, metric);
    equals('confidence', expected.confidence);
    equals('variability', expected.variability_ddof1);
    equals('threshold-closeness', expected.threshold_closeness);
    equals('aleatoric-uncertainty', expected.dataiq_aleatoric);
    if (!input.logits) return;
    dynamics.epochs.forEach(({pTrue, isCorrect}, e) => {
      close(pTrue, column(expected.p_true_float64, e), 2e-7, `p_true of epoch ${e}, instance`);
      assert.deepEqual([...isCorrect], column(expected.correct_per_epoch, e));
      close(score(dynamics, 'el2n', e), column(expected.el2n_per_epoch, e), 1e-6, `EL2N of epoch ${e}`);
      close(score(dynamics, 'loss', e), column(expected.loss_per_epoch, e), 1e-6, `loss of epoch ${e}`);
    });
    equals('correctness', expected.correctness, 0);
    equals('forgetting', expected.forgetfulness_cartography, 0);
    const {length: numEpochs} = dynamics.epochs;
    const toneva = expected.forgetting_toneva;
    equals(
      'forgetting-count',
      toneva.map(({count}) => count),
      0,
    );
    equals(
      'first-learned',
      toneva.map(({first_learned_0based}) => first_learned_0based ?? numEpochs),
      0,
    );
    equals(
      'presentations-to-learn',
      toneva.map(({presentations_needed}) => presentations_needed),
      0,
    );
    equals('el2n', expected.el2n_mean);
    equals('l1-error', expected.error_l1_mean);
    equals('area-under-margin', expected.aum_logit_margin_mean);
    equals('accumulated-margin', expected.ccs_prob_margin_sum);
    equals('final-entropy', expected.entropy_last_epoch);
    equals('entropy', expected.entropy_mean);
    equals('loss', expected.loss_mean);
    equals('loss-trajectory', expected.loss_per_epoch.flat());
    const numClasses = input.logits[0][0].length;
    equals(
      'sum-margin-error',
      expected.confidence.map(mean => 1 - numClasses * mean!),
    );
    equals(
      'max-margin-error',
      expected.ccs_prob_margin_sum.map(sum => -sum / numEpochs),
    );
  });

test('forgetting is counted as in every convention of the parity kit', {skip: needsShared}, () => {
  for (const {sequence, toneva, data_diet, ccs_count} of parityCases().forgetting_sequences) {
    const dynamics = dynamicsFromPTrue([[...sequence].map(Number)]);
    const [count, first, needed] = (['forgetting-count', 'first-learned', 'presentations-to-learn'] as const).map(
      metric => score(dynamics, metric)[0],
    );
    const {first_learned_0based, presentations_needed} = toneva;
    assert.deepEqual(
      [count, first, needed],
      [toneva.count, first_learned_0based ?? sequence.length, presentations_needed],
      sequence,
    );
    const map = buildDataMap(dynamics);
    assert.equal(map.forgettingEvents[0], ccs_count, sequence);
    assert.equal(map.correctness[0] === 0 ? null : map.forgettingEvents[0], data_diet, sequence);
  }
});

test('windowed scores equal those of the parity kit', {skip: needsShared}, () => {
  const {J: scoreWindow, probs, gold, expected} = parityCases().windowed_scores;
  const numClasses = probs[0][0].length;
  // Logarithms of probabilities are logits of them.
  const epochs = probs[0].map((_, e) => {
    const logits = Float32Array.from(
      probs.flatMap(instance => instance[e]),
      Math.log,
    );
    return {pTrue: Float32Array.from(column(expected.p_true, e)), isCorrect: new Uint8Array(gold.length), logits};
  });
  const dynamics = {epochs, instances: gold, labels: Int32Array.from(gold), numClasses};
  const metrics = ['dyn-unc', 'dyn-unc-released', 'dual', 'tdds'] as const;
  const {scores} = buildDataMap(dynamics, {metrics, scoreWindow});
  close(scores['dyn-unc']!, expected.dynunc_all_windows, 1e-6, 'Dyn-Unc');
  close(scores['dyn-unc-released']!, expected.dynunc_repo_drops_last_window, 1e-6, 'Dyn-Unc as released');
  close(scores.dual!, expected.dual, 1e-6, 'DUAL');
  close(scores.tdds!, expected.tdds_alpha09, 1e-6, 'TDDS');
});

test('a deviation over E epochs is larger by the square root of E / (E - 1) with one degree of freedom less', {
  skip: needsShared,
}, () => {
  for (const [E, ratio] of Object.entries(parityCases().ddof_ratio_sqrt_E_over_E_minus_1)) {
    const dynamics = dynamicsFromPTrue([Array.from({length: Number(E)}, (_, e) => ((e * 7) % 5) / 5)]);
    const [sample, population] = (['sample', 'population'] as const).map(
      variabilityEstimator => buildDataMap(dynamics, {variabilityEstimator}).variability[0],
    );
    assert.ok(Math.abs(sample / population - ratio) < 1e-6, E);
  }
});

test('a probability of 0 has a finite loss', () => {
  const dynamics = dynamicsFromPTrue([[0, 1]]);
  close(score(dynamics, 'loss-trajectory'), [149 * Math.LN2, 0], 1e-4, 'loss');
});

test('windows are cut to the epochs there are, and those that cannot be are refused', () => {
  const dynamics = dynamicsFromPTrue([[0.1, 0.9, 0.4]]);
  const sample = buildDataMap(dynamics).variability[0];
  close(score(dynamics, 'dyn-unc'), [10 * sample], 1e-6, 'Dyn-Unc of one window');
  assert.throws(() => score(dynamics, 'dyn-unc', 0), {code: 'INVALID_ARGUMENT', message: /score_window .*at least 2/});
  assert.throws(() => score(dynamics, 'dyn-unc-released'), {message: /less than the 3 epochs used/});
});

test('DUAL looks at the first 30 epochs only', () => {
  const row = Array.from({length: 34}, (_, e) => (e < 30 ? (e % 3) / 3 : 1));
  close(score(dynamicsFromPTrue([row]), 'dual'), score(dynamicsFromPTrue([row.slice(0, 30)]), 'dual'), 0, 'DUAL');
});

test('scores of logits are refused where there are none, and where columns do not fit', () => {
  const dynamics = dynamicsFromPTrue([[0.1, 0.9]]);
  assert.throws(() => score(dynamics, 'el2n'), {
    code: 'FAILED_PRECONDITION',
    message: /el2n needs the logits of the run, and it kept none/,
    details: {reason: 'LOGITS_NOT_KEPT', metadata: {metrics: 'el2n'}},
  });
  const epoch = {pTrue: Float32Array.of(1), isCorrect: Uint8Array.of(1), logits: Float32Array.of(1, 2)};
  const build = (epochs: (typeof epoch)[], labels?: Int32Array) =>
    buildDataMap({epochs, instances: [0], labels}, {metrics: ['entropy']});
  assert.throws(() => build([epoch, {...epoch, logits: Float32Array.of(1, 2, 3)}], Int32Array.of(0)), {
    code: 'INVALID_ARGUMENT',
    message: /epochs\[1\]\.logits must have .* 2; it has 3/,
  });
  assert.throws(() => build([epoch]), {message: /labels must be 1 gold classes, current number is 0/});
  for (const label of [-1, 2])
    assert.throws(() => build([epoch], Int32Array.of(label)), {
      message: `Cannot build a data map: labels[0] must be within 0 to 1, current value is ${label}`,
    });
  assert.throws(() => buildDataMap({epochs: [{...epoch, pTrue: new Float32Array(2)}], instances: [0]}), {
    message: /epochs\[0\]\.p_true must have .* 1; it has 2/,
  });
});

test('a burn-out is the first epochs, as many as there are', () => {
  const dynamics = dynamicsFromPTrue([[0.1, 0.9, 0.2, 0.8]]);
  const first = buildDataMap(dynamics, {epochs: {first: 0, last: 1}});
  assert.deepEqual(buildDataMap(dynamics, {burnOut: 2}), first);
  assert.deepEqual(buildDataMap(dynamics, {burnOut: 9}), buildDataMap(dynamics));
});
