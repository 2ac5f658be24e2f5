// float32 values → places, order and ranks, against sorting.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {ascendingOrder, hasNaN, meanRanks, valuesAt} from '../../src/pipeline/order-statistics.js';
import {randomStream} from '../../src/random.js';

const random = randomStream(5, 'data');
const special = [0, -0, 1, -1, Infinity, -Infinity, 2 ** -149, -(2 ** -149), 3.4e38, -3.4e38];
/** Values of every size and sign, many of them equal. */
const values = Float32Array.from({length: 3000}, (_, i) =>
  i % 7 === 0 ? special[i % special.length] : Math.round((random() - 0.5) * 400) / 2 ** Math.floor(random() * 12),
);

test('the value at a place is that of the sorted values', () => {
  const sorted = values.slice().sort();
  const places = [0, 1, 2, 500, 501, 1499, 1500, 2998, 2999];
  for (const [at, value] of valuesAt(values, places).entries())
    assert.ok(value === sorted[places[at]], `place ${places[at]}`);
});

test('the order is ascending and stable, with equal zeros', () => {
  const order = ascendingOrder(values);
  const expected = Array.from(values, (_, i) => i).sort((a, b) =>
    values[a] === values[b] ? a - b : values[a] - values[b],
  );
  assert.deepEqual([...order], expected);
});

test('equal values share the mean of their ranks', () => {
  assert.deepEqual([...meanRanks(Float32Array.of(5, 1, 5, -2, 5, 1))], [5, 2.5, 5, 1, 5, 2.5]);
  assert.deepEqual([...meanRanks(new Float32Array(0))], []);
});

test('a value that is no number is found', () => {
  assert.equal(hasNaN(values), false);
  assert.equal(hasNaN(Float32Array.of(1, Number.NaN)), true);
});
