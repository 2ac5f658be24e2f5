import assert from 'node:assert/strict';
import {test} from 'node:test';
import {epochBatches, evaluationBatches} from '../../src/data/batches.js';
import type {TokenizedDataset} from '../../src/data/types.js';

/** Instances of 1, 3, 2, 3 and 5 tokens; the second and the last are pairs. Pads are 9. */
const dataset: TokenizedDataset = {
  inputIds: Int32Array.of(10, 20, 21, 22, 30, 31, 40, 41, 42, 50, 51, 52, 53, 54),
  offsets: Int32Array.of(0, 1, 4, 6, 9, 14),
  secondStarts: Int32Array.of(1, 2, 2, 3, 3),
  labels: Int32Array.of(0, 1, 2, 0, 1),
  numClasses: 3,
  padTokenId: 9,
};
const all = Int32Array.of(0, 1, 2, 3, 4);
const instancesOf = (epoch: number, seed = 1, instances = all) =>
  [...epochBatches(dataset, instances, {batchSize: 2, seed, epoch})].flatMap(batch => [...batch.instances]);

test('evaluation batches are longest first, padded to their longest member, with masks and token types', () => {
  const batches = [...evaluationBatches(dataset, 2)];
  assert.deepEqual(batches, [
    {
      instances: Int32Array.of(4, 1),
      inputIds: Int32Array.of(50, 51, 52, 53, 54, 20, 21, 22, 9, 9),
      tokenTypeIds: Int32Array.of(0, 0, 0, 1, 1, 0, 0, 1, 0, 0),
      attentionMask: Int32Array.of(1, 1, 1, 1, 1, 1, 1, 1, 0, 0),
      labels: Int32Array.of(1, 1),
      batchSize: 2,
      length: 5,
    },
    {
      instances: Int32Array.of(3, 2),
      inputIds: Int32Array.of(40, 41, 42, 30, 31, 9),
      tokenTypeIds: new Int32Array(6),
      attentionMask: Int32Array.of(1, 1, 1, 1, 1, 0),
      labels: Int32Array.of(0, 2),
      batchSize: 2,
      length: 3,
    },
    {
      instances: Int32Array.of(0),
      inputIds: Int32Array.of(10),
      tokenTypeIds: Int32Array.of(0),
      attentionMask: Int32Array.of(1),
      labels: Int32Array.of(0),
      batchSize: 1,
      length: 1,
    },
  ]);
});

test('an epoch visits each instance once and keeps its short last batch', () => {
  const sizes = [...epochBatches(dataset, all, {batchSize: 2, seed: 1, epoch: 0})].map(batch => batch.batchSize);
  assert.deepEqual(sizes, [2, 2, 1]);
  assert.deepEqual(instancesOf(0).sort(), [...all]);
});

test('the order follows from seed and epoch alone, and differs between them', () => {
  assert.deepEqual(instancesOf(3), instancesOf(3));
  const orders = new Set([0, 1, 2, 3].flatMap(epoch => [0, 1, 2].map(seed => String(instancesOf(epoch, seed)))));
  assert.ok(orders.size > 8, `${orders.size} of 12 orders differ`);
});

test('a subset is visited by the positions of the whole dataset', () => {
  assert.deepEqual(instancesOf(0, 1, Int32Array.of(1, 4)).sort(), [1, 4]);
});
