// A row of logits → probability of the gold label, arg-max, cross-entropy.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {argMax, crossEntropy, goldProbability} from '../../src/pipeline/logits.js';

test('the gold probability is a float32 and within 2e-7 of the exact softmax', () => {
  const logits = Float32Array.of(9, 9, 1.25, -0.5, 0.125, 9);
  const exact = Math.exp(-0.5) / (Math.exp(1.25) + Math.exp(-0.5) + Math.exp(0.125));
  const probability = goldProbability(logits, 2, 3, 1);
  assert.ok(Math.abs(probability - exact) <= 2e-7);
  assert.equal(probability, Math.fround(probability));
});

test('large logits neither overflow nor lose the loss', () => {
  const logits = Float32Array.of(1000, 0);
  assert.equal(goldProbability(logits, 0, 2, 0), 1);
  assert.equal(goldProbability(logits, 0, 2, 1), 0);
  assert.equal(crossEntropy(logits, 0, 2, 1), 1000);
});

test('equal logits give a probability of one over the number of classes', () => {
  assert.equal(goldProbability(new Float32Array(4), 0, 4, 2), 0.25);
  assert.equal(crossEntropy(new Float32Array(4), 0, 4, 2), Math.log(4));
});

test('the first of equal maxima is the arg-max', () => {
  assert.equal(argMax(Float32Array.of(5, 1, 3, 3, 2), 1, 4), 1);
});
