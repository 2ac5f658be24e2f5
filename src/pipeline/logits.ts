// Logits in; probability of the gold label, arg-max and cross-entropy of one row, or of all rows, out.
import {exponential} from './exponential.js';

/**
 * float32 softmax at the gold class, shifted by the maximum: exponentials, their sum and the quotient are rounded to float32, as in
 * libtorch. Within 1.2e-7 of it and of numpy.
 */
export function goldProbability(logits: Float32Array, start: number, numClasses: number, gold: number): number {
  const best = argMax(logits, start, numClasses);
  const max = logits[start + best];
  let sum = 0;
  for (let c = 0; c < numClasses; c++) sum = Math.fround(sum + shifted(logits[start + c], max));
  return Math.fround(shifted(logits[start + gold], max) / sum);
}

/** Index of the first of equal maxima. */
export function argMax(logits: Float32Array, start: number, numClasses: number): number {
  let best = 0;
  for (let c = 1; c < numClasses; c++) if (logits[start + c] > logits[start + best]) best = c;
  return best;
}

/** Of every row [n * C]: goldProbability, bit for bit, and whether the arg-max is the gold label. */
export function goldColumns(
  logits: Float32Array,
  labels: ArrayLike<number>,
  numClasses: number,
): {pTrue: Float32Array; isCorrect: Uint8Array} {
  const pTrue = new Float32Array(labels.length);
  const isCorrect = new Uint8Array(labels.length);
  for (let i = 0, start = 0; i < pTrue.length; i++, start += numClasses) {
    const label = labels[i];
    let best = 0;
    let max = logits[start];
    for (let c = 1; c < numClasses; c++)
      if (logits[start + c] > max) {
        best = c;
        max = logits[start + c];
      }
    let sum = 0;
    let gold = 0;
    for (let c = 0; c < numClasses; c++) {
      // e^0 of the maximum itself is 1; it is NaN where the maximum is not finite.
      const term = c === best ? Math.fround(max - max) + 1 : shifted(logits[start + c], max);
      sum = Math.fround(sum + term);
      if (c === label) gold = term;
    }
    pTrue[i] = gold / sum;
    isCorrect[i] = best === label ? 1 : 0;
  }
  return {pTrue, isCorrect};
}

/** -log p at the gold class, in doubles. */
export function crossEntropy(logits: Float32Array, start: number, numClasses: number, gold: number): number {
  const max = maximum(logits, start, numClasses);
  let sum = 0;
  for (let c = 0; c < numClasses; c++) sum += Math.exp(logits[start + c] - max);
  return Math.log(sum) + max - logits[start + gold];
}

const shifted = (logit: number, max: number): number => Math.fround(exponential(Math.fround(logit - max)));

function maximum(logits: Float32Array, start: number, numClasses: number): number {
  let max = logits[start];
  for (let c = 1; c < numClasses; c++) max = Math.max(max, logits[start + c]);
  return max;
}
