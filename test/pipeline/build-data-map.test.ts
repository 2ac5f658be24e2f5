// Dynamics → data map, against numpy and libtorch (parity kit) and by hand.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {buildDataMap} from '../../src/pipeline/build-data-map.js';
import type {TrainingDynamics} from '../../src/pipeline/types.js';
import {needsShared} from '../support/shared.js';
import {close} from './close.js';
import {dynamicsFromPTrue, dynamicsOf, eachMapCase, numbers, parityCases} from './parity-cases.js';

for (const mapCase of eachMapCase())
  test(`the data map of ${mapCase?.id ?? 'every parity case'} equals numpy and libtorch`, {skip: needsShared}, () => {
    const {expected, input} = mapCase!;
    const dynamics = dynamicsOf(mapCase!);
    const map = buildDataMap(dynamics);
    const float32 = expected.torch_2_0_1_float32;
    close(map.confidence, numbers(expected.confidence), 1e-6, 'confidence');
    close(map.variability, numbers(float32.std_f32), input.logits ? 1e-6 : 0, 'variability');
    if (dynamics.epochs.length <= 4)
      close(
        map.confidence.map(mean => -mean),
        numbers(float32.neg_mean_f32),
        input.logits ? 2e-7 : 0,
        'negated confidence',
      );
    const population = buildDataMap(dynamics, {variabilityEstimator: 'population'});
    close(population.variability, numbers(expected.variability_ddof0), 1e-6, 'population deviation');
    const interval = buildDataMap(dynamics, {variabilityEstimator: 'active-bias-ci'});
    close(interval.variability, numbers(expected.variability_with_ci), 1e-6, 'deviation with interval');
    if (!input.logits) return;
    assert.deepEqual([...map.correctness], expected.correctness);
    assert.deepEqual(forgetfulness(map), expected.forgetfulness_cartography);
  });

test('correctness and forgetting are counted as in the sequences of the parity kit', {skip: needsShared}, () => {
  for (const {sequence, correctness, forgetfulness_cartography} of parityCases().forgetting_sequences) {
    const map = buildDataMap(dynamicsFromPTrue([[...sequence].map(Number)]));
    assert.equal(map.correctness[0], correctness, sequence);
    assert.equal(forgetfulness(map)[0], forgetfulness_cartography, sequence);
  }
});

test('an instance that was never right has no forgetting events', () => {
  const map = buildDataMap(
    dynamicsFromPTrue([
      [0.1, 0.2, 0.1],
      [0.9, 0.1, 0.9],
    ]),
  );
  assert.deepEqual([...map.forgettingEvents], [0, 1]);
  assert.deepEqual([...map.correctness], [0, 2]);
});

test('a range of epochs gives the map of those epochs alone', () => {
  const dynamics = dynamicsFromPTrue([
    [0.1, 0.9, 0.2, 0.8],
    [0.6, 0.7, 0.1, 0.9],
  ]);
  const middle = buildDataMap(dynamics, {epochs: {first: 1, last: 2}});
  const alone = buildDataMap(
    dynamicsFromPTrue([
      [0.9, 0.2],
      [0.7, 0.1],
    ]),
  );
  assert.deepEqual({...middle, epochs: alone.epochs}, alone);
  assert.deepEqual(middle.epochs, {first: 1, last: 2});
});

test('an instance that kept its probability has no variability, exactly, however many epochs', () => {
  for (const numEpochs of [2, 3, 7, 11]) {
    const map = buildDataMap(dynamicsFromPTrue([new Array<number>(numEpochs).fill(0.9999998)]));
    assert.equal(map.variability[0], 0);
  }
});

test('epochs that are not there are refused by number', () => {
  const dynamics = dynamicsFromPTrue([[0.1, 0.9]]);
  for (const epochs of [
    {first: 0, last: 2},
    {first: 1, last: 0},
    {first: -1, last: 0},
    {first: 0.5, last: 1},
  ])
    assert.throws(() => buildDataMap(dynamics, {epochs}), {code: 'INVALID_ARGUMENT', message: /range within 0 to 1/});
});

test('a run without a whole epoch has no data map', () => {
  const none: TrainingDynamics = {...dynamicsFromPTrue([[0.5]]), epochs: []};
  assert.throws(() => buildDataMap(none), {
    code: 'FAILED_PRECONDITION',
    details: {reason: 'NO_COMMITTED_EPOCHS'},
  });
});

/** As cartography counts: 1000 where never right. */
const forgetfulness = (map: {correctness: Uint32Array; forgettingEvents: Uint32Array}): number[] =>
  Array.from(map.forgettingEvents, (count, i) => (map.correctness[i] === 0 ? 1000 : count));
