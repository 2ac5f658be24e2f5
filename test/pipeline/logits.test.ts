// A row of logits → probability of the gold label, arg-max, cross-entropy.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {exponential} from '../../src/pipeline/exponential.js';
import {argMax, crossEntropy, goldColumns, goldProbability} from '../../src/pipeline/logits.js';
import {randomStream} from '../../src/random.js';

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

test('the exponential is that of Math.exp to float32 and beyond, from 0 down to nothing', () => {
  const random = randomStream(1, 'data');
  for (let n = 0; n < 200_000; n++) {
    const x = -104 * random() ** 3;
    assert.ok(Math.abs(exponential(x) / Math.exp(x) - 1) < 2 ** -40, `e^${x}`);
  }
  assert.deepEqual([exponential(0), exponential(-0), exponential(-104.1), exponential(-Infinity)], [1, 1, 0, 0]);
  assert.ok(Number.isNaN(exponential(Number.NaN)));
});

test('all rows at once give the bits of each by itself, and the float32 softmax within 1.2e-7', () => {
  const random = randomStream(2, 'data');
  for (const numClasses of [2, 3, 7]) {
    const labels = Int32Array.from({length: 20_000}, () => Math.floor(random() * numClasses));
    const logits = Float32Array.from(
      {length: labels.length * numClasses},
      () => (random() - 0.5) * 2 ** (6 * random()),
    );
    // Some rows with equal maxima.
    for (let i = 0; i < 500; i++) logits.fill(Math.round(random() * 4), i * numClasses, (i + 1) * numClasses);
    const {pTrue, isCorrect} = goldColumns(logits, labels, numClasses);
    for (let i = 0; i < labels.length; i++) {
      const row = i * numClasses;
      assert.equal(pTrue[i], goldProbability(logits, row, numClasses, labels[i]));
      assert.equal(isCorrect[i], Number(argMax(logits, row, numClasses) === labels[i]));
      assert.ok(Math.abs(pTrue[i] - float32Softmax(logits.subarray(row, row + numClasses), labels[i])) <= 1.2e-7);
    }
  }
});

test('a logit that is no number makes its row no number, wherever it stands, and no other row', () => {
  for (const place of [0, 1, 2]) {
    const logits = Float32Array.of(1, 2, 3, 1, 2, 3);
    logits[place] = Number.NaN;
    const {pTrue} = goldColumns(logits, [1, 1], 3);
    assert.ok(Number.isNaN(pTrue[0]) && Number.isNaN(goldProbability(logits, 0, 3, 1)));
    assert.equal(pTrue[1], goldProbability(logits, 3, 3, 1));
  }
});

/** Every intermediate rounded to float32, with the language's own exponential. */
function float32Softmax(row: Float32Array, gold: number): number {
  const max = Math.max(...row);
  const terms = row.map(logit => Math.exp(Math.fround(logit - max)));
  return Math.fround(terms[gold] / terms.reduce((sum, term) => Math.fround(sum + term), 0));
}
