// Logits in; probability of the gold label, arg-max and cross-entropy of one row, or of all rows, out.
import {exponential} from './exponential.js';

/**
 * float32 softmax at the gold class, shifted by the maximum: exponentials, their sum and the quotient are rounded to float32, as in
 * libtorch. Within 1.2e-7 of it and of numpy.
 */
export function goldProbability(logits: Float32Array, start: number, numClasses: number, gold: number): number {
  const max = logits[start + argMax(logits, start, numClasses)];
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

/** What the rows of one epoch say of the gold labels. */
export interface GoldColumns {
  /** [n] goldProbability, bit for bit. */
  pTrue: Float32Array;
  /** [n] of 0 and 1: the arg-max is the gold label. */
  isCorrect: Uint8Array;
}

/**
 * Of all rows [n * C] at once. No branch depends on the values: which class wins cannot be foreseen, and a wrong guess of the
 * processor costs more than an exponential. Where a row holds NaN, so does pTrue.
 */
export function goldColumns(logits: Float32Array, labels: ArrayLike<number>, numClasses: number): GoldColumns {
  const columns = {pTrue: new Float32Array(labels.length), isCorrect: new Uint8Array(labels.length)};
  if (numClasses === 2) ofTwo(logits, labels, columns);
  else if (numClasses === 3) ofThree(logits, labels, columns);
  else ofMany(logits, labels, numClasses, columns);
  return columns;
}

function ofTwo(logits: Float32Array, labels: ArrayLike<number>, {pTrue, isCorrect}: GoldColumns): void {
  for (let i = 0, start = 0; i < pTrue.length; i++, start += 2) {
    const best = Number(logits[start + 1] > logits[start]);
    const max = logits[start + best];
    const sum = Math.fround(shifted(logits[start], max) + shifted(logits[start + 1], max));
    pTrue[i] = shifted(logits[start + labels[i]], max) / sum;
    isCorrect[i] = Number(best === labels[i]);
  }
}

function ofThree(logits: Float32Array, labels: ArrayLike<number>, {pTrue, isCorrect}: GoldColumns): void {
  const terms = new Float32Array(3);
  for (let i = 0, start = 0; i < pTrue.length; i++, start += 3) {
    let best = Number(logits[start + 1] > logits[start]);
    best += (2 - best) * Number(logits[start + 2] > logits[start + best]);
    const max = logits[start + best];
    const [one, other] = [Number(best === 0), 2 - Number(best === 2)];
    terms[best] = max - max + 1;
    terms[one] = shifted(logits[start + one], max);
    terms[other] = shifted(logits[start + other], max);
    pTrue[i] = terms[labels[i]] / Math.fround(Math.fround(terms[0] + terms[1]) + terms[2]);
    isCorrect[i] = Number(best === labels[i]);
  }
}

function ofMany(
  logits: Float32Array,
  labels: ArrayLike<number>,
  numClasses: number,
  {pTrue, isCorrect}: GoldColumns,
): void {
  const terms = new Float32Array(numClasses);
  for (let i = 0, start = 0; i < pTrue.length; i++, start += numClasses) {
    let best = 0;
    for (let c = 1; c < numClasses; c++) best += (c - best) * Number(logits[start + c] > logits[start + best]);
    const max = logits[start + best];
    let sum = 0;
    for (let c = 0; c < numClasses; c++) {
      terms[c] = shifted(logits[start + c], max);
      sum = Math.fround(sum + terms[c]);
    }
    pTrue[i] = terms[labels[i]] / sum;
    isCorrect[i] = Number(best === labels[i]);
  }
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
