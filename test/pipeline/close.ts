// Two columns of numbers in; an assertion that names the first place where they differ by more than the tolerance.
import assert from 'node:assert/strict';

/** NaN equals NaN only. */
export function close(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what = 'value'): void {
  assert.equal(actual.length, expected.length, `number of ${what}s`);
  for (let i = 0; i < expected.length; i++) {
    const isClose = Number.isNaN(expected[i])
      ? Number.isNaN(actual[i])
      : Math.abs(actual[i] - expected[i]) <= tolerance;
    assert.ok(isClose, `${what} ${i}: ${actual[i]} must be within ${tolerance} of ${expected[i]}`);
  }
}
