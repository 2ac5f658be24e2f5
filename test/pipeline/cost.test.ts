// Sizes → estimated operations.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {forwardFlops, trainingFlops} from '../../src/pipeline/cost.js';

/** Multiply-adds of every matrix product of one forward pass, counted product by product. */
function countedProducts(B: number, L: number, D: number, F: number, N: number, C: number): number {
  const product = (rows: number, inner: number, columns: number) => 2 * rows * inner * columns;
  const layer =
    4 * product(B * L, D, D) + B * (product(L, D, L) + product(L, L, D)) + product(B * L, D, F) + product(B * L, F, D);
  return N * layer + product(B, D, D) + product(B, D, C);
}

test('a forward pass costs what its matrix products cost', () => {
  const shape = {numLayers: 6, hiddenSize: 384, intermediateSize: 1536, numClasses: 2};
  assert.equal(forwardFlops(shape, {instances: 32, tokens: 32 * 40}), countedProducts(32, 40, 384, 1536, 6, 2));
});

test('an update costs three forward passes, and half the layers cost almost half', () => {
  const shape = {numLayers: 6, hiddenSize: 384, intermediateSize: 1536, numClasses: 2};
  const batch = {instances: 32, tokens: 32 * 40};
  assert.equal(trainingFlops(shape, batch), 3 * forwardFlops(shape, batch));
  const ratio = forwardFlops({...shape, numLayers: 3}, batch) / forwardFlops(shape, batch);
  assert.ok(ratio > 0.5 && ratio < 0.502);
});

test('nothing costs nothing', () => {
  const shape = {numLayers: 6, hiddenSize: 384, intermediateSize: 1536, numClasses: 2};
  assert.equal(forwardFlops(shape, {instances: 0, tokens: 0}), 0);
});
