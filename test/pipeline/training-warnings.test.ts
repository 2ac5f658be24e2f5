// Marks of a training that goes wrong: when each is told, and when it is not.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {TrainingWarnings} from '../../src/pipeline/training-warnings.js';
import type {EpochDynamics, Evaluation, TrainingOptions} from '../../src/pipeline/types.js';

const labels = Int32Array.of(0, 1, 0, 1);
const watch = (changes: Partial<TrainingOptions> = {}) =>
  new TrainingWarnings(labels, {totalSteps: 100, ...changes} as TrainingOptions);

const evaluation = (split: string, accuracy: number, instanceCount = 10_000): Evaluation => ({
  ...{split, isOutOfDistribution: split !== 'id', accuracy, macroF1: 0, loss: 0, instanceCount},
  ...{steps: 100, committedEpochs: 1},
});
const round = (inside: number, outside: number, count?: number) => [
  evaluation('id', inside, count),
  evaluation('ood', outside, count),
];
const epochOf = (p: number): EpochDynamics => ({
  pTrue: new Float32Array(4).fill(p),
  isCorrect: new Uint8Array(4),
  logits: new Float32Array(8),
});

test('a loss that has not left that of guessing in the last quarter of the budget is told, with both', () => {
  const [warning, ...more] = watch().epoch(0.65, 75, false);
  assert.deepEqual(more, []);
  assert.deepEqual([warning.code, warning.steps], ['NOT_CONVERGING', 75]);
  assert.match(warning.message, /0\.650 after 75 of 100 steps.*0\.693.*less than 0\.624/);
});

test('a loss a tenth below that of guessing is none, nor is one early in the budget unless training ends there', () => {
  const guess = Math.log(2);
  assert.deepEqual(watch().epoch(0.9 * guess - 1e-9, 100, true), []);
  assert.equal(watch().epoch(0.9 * guess, 100, true).length, 1);
  assert.deepEqual(watch().epoch(0.69, 74, false), []);
  assert.equal(watch().epoch(0.69, 30, true).length, 1);
});

test('guessing knows how frequent the labels are, and one class alone is no reason to warn', () => {
  const skewed = new TrainingWarnings(Int32Array.of(0, 0, 0, 1), {totalSteps: 100});
  assert.deepEqual(skewed.epoch(0.5, 100, true), [], 'guessing gives 0.562, nine tenths of it 0.506');
  assert.equal(skewed.epoch(0.51, 100, true).length, 1);
  assert.deepEqual(new TrainingWarnings(Int32Array.of(1, 1), {totalSteps: 100}).epoch(0.5, 100, true), []);
});

test('where training ends at a round, the last whole epoch is judged by its dynamics', () => {
  const codes = (p: number, isLast: boolean) =>
    watch()
      .round(round(0.5, 0.5), epochOf(p), 30, isLast)
      .map(({code}) => code);
  assert.deepEqual(codes(0.5, true), ['NOT_CONVERGING']);
  assert.deepEqual([codes(0.5, false), codes(0.6, true)], [[], []]);
  assert.deepEqual(watch().round(round(0.5, 0.5), undefined, 30, true), [], 'no whole epoch, nothing to judge');
  assert.deepEqual(codes(0, true), ['NOT_CONVERGING'], 'a probability that has vanished is a loss like any other');
});

test('a fall from in to out of distribution is told where it exceeds that of ERM by more than the threshold', () => {
  const erm = round(0.9, 0.8);
  const codes = (own: Evaluation[], steps = 100, isLast = false) =>
    watch({baseline: erm})
      .round(own, undefined, steps, isLast)
      .map(({code, message}) => `${code}: ${message}`);
  const [told] = codes(round(0.9, 0.7));
  assert.match(
    told,
    /^OUT_OF_DISTRIBUTION_GAP: .*falls by 20\.0 points, by 10\.0 more than that of ERM \(more than 5\.0 .*noise, 1\.5;/,
  );
  assert.deepEqual(codes(round(0.9, 0.76)), [], 'four points more');
  assert.deepEqual(codes(round(0.8, 0.72)), [], 'lower everywhere is another matter');
  assert.deepEqual(codes(round(0.9, 0.7), 49), [], 'before half of the budget nothing is settled');
  assert.equal(codes(round(0.9, 0.7), 20, true).length, 1);
});

test('a fall within the noise of few instances, or without an ERM run beside it, is not told', () => {
  const small = watch({baseline: round(0.9, 0.8, 50)}).round(round(0.9, 0.7, 50), undefined, 100, true);
  assert.deepEqual(small, []);
  assert.deepEqual(watch().round(round(0.9, 0.3), undefined, 100, true), []);
  const other = [evaluation('id', 0.9), evaluation('another', 0.9)];
  assert.deepEqual(watch({baseline: other}).round(round(0.9, 0.3), undefined, 100, true), [], 'no split in common');
});

test('each is told once, also where an earlier attempt has told it; thresholds are settings', () => {
  const once = watch();
  assert.equal(once.epoch(0.69, 80, false).length, 1);
  assert.deepEqual(once.epoch(0.69, 90, false), []);
  const resume = {steps: 0, committedEpochs: [], warned: ['NOT_CONVERGING' as const]};
  assert.deepEqual(watch({resume}).epoch(0.69, 90, false), []);
  const strict = watch({warningThresholds: {lossDrop: 0.5, outOfDistributionGap: 0.01}, baseline: round(0.9, 0.8)});
  assert.equal(strict.epoch(0.4, 90, false).length, 1);
  assert.equal(strict.round(round(0.9, 0.78), undefined, 100, true).length, 1);
});
