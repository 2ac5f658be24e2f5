// Logits in; probability of the gold label, arg-max and cross-entropy of one row out.

/** float32 softmax at the gold class, shifted by the maximum: every intermediate is rounded to float32, as in libtorch. */
export function goldProbability(logits: Float32Array, start: number, numClasses: number, gold: number): number {
  const max = maximum(logits, start, numClasses);
  let sum = 0;
  for (let c = 0; c < numClasses; c++) sum = Math.fround(sum + exponential(logits[start + c], max));
  return Math.fround(exponential(logits[start + gold], max) / sum);
}

/** Index of the first of equal maxima. */
export function argMax(logits: Float32Array, start: number, numClasses: number): number {
  let best = 0;
  for (let c = 1; c < numClasses; c++) if (logits[start + c] > logits[start + best]) best = c;
  return best;
}

/** -log p at the gold class, in doubles. */
export function crossEntropy(logits: Float32Array, start: number, numClasses: number, gold: number): number {
  const max = maximum(logits, start, numClasses);
  let sum = 0;
  for (let c = 0; c < numClasses; c++) sum += Math.exp(logits[start + c] - max);
  return Math.log(sum) + max - logits[start + gold];
}

const exponential = (logit: number, max: number): number => Math.fround(Math.exp(Math.fround(logit - max)));

function maximum(logits: Float32Array, start: number, numClasses: number): number {
  let max = logits[start];
  for (let c = 1; c < numClasses; c++) max = Math.max(max, logits[start + c]);
  return max;
}
