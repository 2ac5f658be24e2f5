import assert from 'node:assert/strict';
import {test} from 'node:test';
import {checkEqual, scores} from '../../bench/data-map.js';

// Two instances, two epochs: log-odds that make p_true 1/2 and 3/4 for the first, 1/6 twice for the second.
const logits = {
  labels: Int32Array.of(0, 2),
  epochs: [
    Float32Array.of(Math.log(2), 0, 0, Math.log(4), 0, 0),
    Float32Array.of(Math.log(6), 0, 0, Math.log(4), 0, 0),
  ],
};
const expected = {
  confidence: Float32Array.of(0.625, 1 / 6),
  variability: Float32Array.of(0.125, 0),
  correctness: Float32Array.of(2, 0),
  forgetfulness: Float32Array.of(0, 1000),
  threshold_closeness: Float32Array.of(0.625 * 0.375, 5 / 36),
};

test('scores are the mean and the population deviation of p_true, and how often the label won', () =>
  checkEqual(scores(logits), expected));

test('scores that differ are an error that names the instance', () => {
  const map = scores(logits);
  const changed = (name: keyof typeof expected, by: number) => ({
    ...expected,
    [name]: expected[name].map((value, i) => value + i * by),
  });
  assert.throws(() => checkEqual(map, changed('confidence', 1e-5)), /confidence of instance 1/);
  assert.throws(() => checkEqual(map, changed('correctness', 1)), /correctness of instance 1/);
  assert.throws(() => checkEqual(map, changed('variability', Number.NaN)), /variability of instance 0/);
  assert.throws(() => checkEqual(map, {...expected, confidence: Float32Array.of(0.625)}), /must have 2 values/);
});
