// Intervals against published and independently computed values.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {differenceInterval, meanAndSpread, meanInterval, wilson} from '../src/intervals.js';

function close(actual: {low: number; high: number}, low: number, high: number, tolerance: number): void {
  assert.ok(
    Math.abs(actual.low - low) <= tolerance && Math.abs(actual.high - high) <= tolerance,
    `${actual.low} ${actual.high}`,
  );
}

// Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
test('Wilson intervals equal the published ones', () => {
  close(wilson(81 / 263, 263), 0.2553, 0.3662, 5e-5);
  close(wilson(15 / 148, 148), 0.0624, 0.1605, 5e-5);
  close(wilson(0 / 20, 20), 0, 0.1611, 5e-5);
  close(wilson(1 / 29, 29), 0.0061, 0.1718, 5e-5);
  close(wilson(1, 500), 0.99238, 1, 1e-5);
});

// Newcombe 1998, "Interval estimation for the difference between independent proportions", table II, method 10.
test('difference intervals equal the published ones', () => {
  close(differenceInterval(56 / 70, 70, 48 / 80, 80), 0.0524, 0.3339, 5e-5);
  close(differenceInterval(9 / 10, 10, 3 / 10, 10), 0.1705, 0.809, 5e-5);
  close(differenceInterval(10 / 10, 10, 0 / 20, 20), 0.6791, 1, 5e-5);
  close(differenceInterval(5 / 56, 56, 0 / 29, 29), -0.0381, 0.1926, 5e-5);
});

// scipy.stats.t.interval(0.95, n - 1, mean, std(ddof=1) / sqrt(n)).
test("Student's intervals of a mean equal independently computed ones", () => {
  close(meanInterval([1, 2, 4]), -1.46123, 6.1279, 2e-3);
  close(meanInterval([0.5, 0.7, 0.9, 0.6, 0.8, 0.75, 0.65]), 0.577654, 0.822346, 1e-4);
  assert.deepEqual(meanAndSpread([2, 4]), {mean: 3, spread: Math.SQRT2});
  assert.ok(Number.isNaN(meanAndSpread([2]).spread));
});
