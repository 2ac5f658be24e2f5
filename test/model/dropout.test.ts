import assert from 'node:assert/strict';
import {test} from 'node:test';
import {dropout, dropoutMask, dropoutSeeds, noDropout, roundedRate, seededDropout} from '../../src/model/dropout.js';
import {tf} from '../../src/model/tensorflow.js';

const seed = (a: number, b: number) => tf.tensor1d([a, b], 'int32');
const mask = (shape: number[], rate: number, a = 1, b = 2) => dropoutMask(shape, rate, seed(a, b)).dataSync();
const share = (bits: ArrayLike<number>) => Array.from(bits).reduce((sum, bit) => sum + bit, 0) / bits.length;

for (const rate of [0.1, 0.5, 0.9])
  test(`at rate ${rate} that share is dropped, in both halves of the random words`, () => {
    const bits = mask([400, 1000], rate);
    const error = 5 * Math.sqrt((rate * (1 - rate)) / 200_000);
    assert.ok(Math.abs(share(bits.slice(0, 200_000)) - (1 - rate)) < error);
    assert.ok(Math.abs(share(bits.slice(200_000)) - (1 - rate)) < error);
    const both = bits.slice(0, 200_000).map((bit, i) => bit & bits[200_000 + i]);
    assert.ok(Math.abs(share(both) - (1 - rate) ** 2) < error, 'the halves are independent');
  });

test('the rate that masks have is within 2^-17 of the one asked for', () => {
  for (const rate of [0.1, 0.15, 1 / 3]) assert.ok(Math.abs(roundedRate(rate) - rate) <= 2 ** -17);
});

test('an odd number of values gets a mask of its own shape', () => {
  assert.deepEqual(dropoutMask([3, 5, 7], 0.1, seed(1, 2)).shape, [3, 5, 7]);
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

test('rate 0 and no dropout leave every value as it is', () => {
  const x = tf.randomNormal([10, 10], 0, 1, 'float32', 4);
  assert.deepEqual(noDropout(x, 0.5, 0).dataSync(), x.dataSync());
  assert.deepEqual(seededDropout(dropoutSeeds(1, 1, 2))(x, 0, 1).dataSync(), x.dataSync());
});
