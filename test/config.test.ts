// Environment → configuration, and what is refused.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {readConfig} from '../src/config.js';

test('thresholds of diagnostics are set one by one, and are shares', () => {
  assert.deepEqual(readConfig({}).thresholds, {});
  const env = {FTFT_VERDICT_OVERLAP: '0.5', FTFT_VERDICT_ACCURACY: '0', FTFT_WARN_EPOCH_GAIN: ''};
  assert.deepEqual(readConfig(env).thresholds, {overlapExcess: 0.5, accuracySkill: 0});
  const others = {FTFT_WARN_EPOCH_GAIN: '0.1', FTFT_WARN_LABEL_SHIFT: '1', FTFT_WARN_NEVER_LEARNED: '0.2'};
  assert.deepEqual(readConfig(others).thresholds, {lastEpochGain: 0.1, labelShift: 1, neverLearned: 0.2});
  for (const value of ['1.5', '-0.1', 'half', 'NaN'])
    assert.throws(() => readConfig({FTFT_WARN_LABEL_SHIFT: value}), {
      code: 'INVALID_ARGUMENT',
      message: `Cannot read FTFT_WARN_LABEL_SHIFT: it must be a number from 0 to 1, current value is ${value}`,
    });
});
