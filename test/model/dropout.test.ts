import assert from 'node:assert/strict';
import {test} from 'node:test';
import {dropout, dropoutMask, dropoutSeeds, range, roundedRate} from '../../src/model/dropout.js';
import {tf} from '../../src/model/tensorflow.js';

const seed = (a: number, b: number) => tf.tensor1d([a, b], 'int32');
const rows = (count: number) => range(count).expandDims(1);
const mask = ([count, columns]: number[], rate: number, a = 1, b = 2) =>
  dropoutMask(rows(count), columns, rate, seed(a, b)).dataSync();
const share = (bits: ArrayLike<number>) => Array.from(bits).reduce((sum, bit) => sum + bit, 0) / bits.length;

for (const rate of [0.1, 0.5, 0.9])
  test(`at rate ${rate} that share is dropped, independently of the neighbours and of other seeds`, () => {
    const bits = mask([400, 1000], rate);
    const error = 5 * Math.sqrt((rate * (1 - rate)) / 200_000);
    assert.ok(Math.abs(share(bits) - (1 - rate)) < error);
    const together = (others: ArrayLike<number>, distance: number) =>
      share(bits.slice(0, 300_000).map((bit, i) => bit & others[i + distance]));
    for (const distance of [1, 2, 7, 1000, 2000])
      assert.ok(Math.abs(together(bits, distance) - (1 - rate) ** 2) < error, `${distance} apart`);
    for (const other of [mask([400, 1000], rate, 1, 3), mask([400, 1000], rate, 2, 2)])
      assert.ok(Math.abs(together(other, 0) - (1 - rate) ** 2) < error, 'another seed');
  });

test('the rate that masks have is within 2^-17 of the one asked for', () => {
  for (const rate of [0.1, 0.15, 1 / 3]) assert.ok(Math.abs(roundedRate(rate) - rate) <= 2 ** -17);
});

test('a mask belongs to its rows: it is the same wherever they stand', () => {
  const picked = dropoutMask(tf.tensor([[[3]], [[1]]], [2, 1, 1], 'int32'), 7, 0.3, seed(1, 2));
  assert.deepEqual(picked.shape, [2, 1, 7]);
  const all = mask([5, 7], 0.3);
  assert.deepEqual([...picked.dataSync()], [...all.slice(21, 28), ...all.slice(7, 14)]);
});

test('equal seeds give equal masks, other seeds others', () => {
  assert.deepEqual(mask([50, 50], 0.3), mask([50, 50], 0.3));
  assert.notDeepEqual(mask([50, 50], 0.3), mask([50, 50], 0.3, 1, 3));
  assert.notDeepEqual(mask([50, 50], 0.3), mask([50, 50], 0.3, 2, 2));
});

test('each site of each step has a seed of its own', () => {
  const seeds = [0, 1, 2].flatMap(step => dropoutSeeds(9, step, 20).arraySync() as number[][]);
  assert.equal(new Set(seeds.map(String)).size, 60);
  assert.deepEqual(dropoutSeeds(9, 1, 20).arraySync(), dropoutSeeds(9, 1, 20).arraySync());
  assert.notDeepEqual(dropoutSeeds(9, 1, 20).arraySync(), dropoutSeeds(10, 1, 20).arraySync());
});

test('what stays is scaled so that the expectation is kept', () => {
  const x = tf.fill([400, 1000], 3);
  const values = Array.from(dropout(x, 0.1, seed(5, 6)).dataSync());
  const kept = values.filter(value => value !== 0);
  assert.ok(kept.every(value => Math.abs(value - 3 / (1 - roundedRate(0.1))) < 1e-5));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  assert.ok(Math.abs(mean / 3 - 1) < 5 * Math.sqrt(0.1 / 0.9 / 400_000), `mean ${mean}`);
});
