import assert from 'node:assert/strict';
import {test} from 'node:test';
import {allowedDifference, compareMeans, mean, median, percentile, sampleVariance} from '../../bench/statistics.js';

const close = (found: number, expected: number) =>
  assert.ok(Math.abs(found - expected) < 1e-12, `${found} ${expected}`);

test('the variance of a sample is divided by one less than its size', () => {
  close(sampleVariance([1, 2, 4]), 7 / 3);
  assert.ok(Number.isNaN(sampleVariance([5])));
});

test("the standard error of a difference adds each side's variance over its size", () => {
  const {ours, peer, difference, standardError} = compareMeans([84, 86, 88], [85, 86]);
  close(ours, 86);
  close(peer, 85.5);
  close(difference, 0.5);
  close(standardError, Math.sqrt(4 / 3 + 0.5 / 2));
});

test('two standard errors may differ, but the least difference always may', () => {
  const scattered = compareMeans([60, 70, 80], [65, 70, 75]);
  close(allowedDifference(scattered, 1.5), 2 * Math.sqrt(100 / 3 + 25 / 3));
  assert.equal(allowedDifference(compareMeans([80, 80], [81, 81]), 1.5), 1.5);
});

test('with one value a side only the least difference may be', () => {
  assert.equal(allowedDifference(compareMeans([80], [90]), 1.5), 1.5);
});

test('the 99th percentile of 200 values is the 198th', () => {
  const values = Array.from({length: 200}, (_, i) => 200 - i);
  assert.equal(percentile(values, 0.99), 198);
  assert.equal(percentile(values.slice(50), 0.99), 149);
  assert.equal(percentile(values, 1), 200);
  assert.equal(percentile([7], 0.99), 7);
  assert.ok(Number.isNaN(percentile([], 0.5)));
});

test('a mean is the sum over the count', () => close(mean([1, 2, 6]), 3));

test('a median is the middle value, or the mean of the middle two', () => {
  assert.equal(median([5, 1, 100]), 5);
  assert.equal(median([4, 1, 100, 2]), 3);
  assert.ok(Number.isNaN(median([])));
});
