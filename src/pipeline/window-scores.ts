// Columns of probabilities, one an epoch, in; scores over sliding windows of epochs out, one an instance.

/** Dyn-Unc and DUAL multiply deviations by this. */
const SCALE = 10;
/** DUAL looks at the beginning of training only. */
const DUAL_EPOCHS = 30;
const TDDS_DECAY = 0.9;

/** Dyn-Unc (He et al., arXiv 2306.05175): mean over the first windows of 10 times the sample deviation of pTrue. NaN for no window. */
export function dynUnc(pTrue: Float32Array[], window: number, numWindows: number): Float32Array {
  return overWindows(pTrue, window, numWindows, deviation => SCALE * deviation);
}

/** DUAL (Cho et al., arXiv 2502.06905): mean over the windows of the first 30 epochs of 10 deviation (1 - mean). */
export function dual(pTrue: Float32Array[], window: number): Float32Array {
  const early = pTrue.slice(0, DUAL_EPOCHS);
  const length = Math.min(window, early.length);
  return overWindows(early, length, early.length - length + 1, (deviation, mean) => SCALE * deviation * (1 - mean));
}

function overWindows(
  pTrue: Float32Array[],
  window: number,
  numWindows: number,
  score: (deviation: number, mean: number) => number,
): Float32Array {
  const numInstances = pTrue[0].length;
  const scores = new Float32Array(numInstances);
  for (let i = 0; i < numInstances; i++) {
    let sum = 0;
    for (let first = 0; first < numWindows; first++) {
      let mean = 0;
      for (let e = first; e < first + window; e++) mean += pTrue[e][i];
      mean /= window;
      let squares = 0;
      for (let e = first; e < first + window; e++) squares += (pTrue[e][i] - mean) ** 2;
      sum += score(Math.sqrt(squares / (window - 1)), mean);
    }
    scores[i] = sum / numWindows;
  }
  return scores;
}

/**
 * TDDS (Zhang et al., arXiv 2311.13613) of probabilities [epoch][n * C]: how much KL-like change from epoch to epoch varies inside each
 * window of epochs, later windows weighing more, 0.9 0.1^(T - J - k).
 */
export function tdds(probabilities: Float64Array[], numClasses: number, window: number): Float32Array {
  const numInstances = probabilities[0].length / numClasses;
  const numWindows = probabilities.length - window + 1;
  const changes = new Float64Array(probabilities.length - 1);
  const scores = new Float32Array(numInstances);
  for (let i = 0; i < numInstances; i++) {
    for (let e = 0; e < changes.length; e++) changes[e] = change(probabilities[e], probabilities[e + 1], i, numClasses);
    let sum = 0;
    for (let first = 0; first < numWindows; first++) {
      const weight = TDDS_DECAY * (1 - TDDS_DECAY) ** (numWindows - 1 - first);
      sum += weight * distanceFromMean(changes.subarray(first, first + window - 1));
    }
    scores[i] = sum;
  }
  return scores;
}

function change(before: Float64Array, after: Float64Array, i: number, numClasses: number): number {
  let sum = 0;
  for (let c = i * numClasses; c < (i + 1) * numClasses; c++)
    sum += Math.abs(after[c] * (Math.log(after[c] + 1e-8) - Math.log(before[c] + 1e-8)));
  return sum;
}

function distanceFromMean(values: Float64Array): number {
  let mean = 0;
  for (const value of values) mean += value / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return Math.sqrt(squares);
}
