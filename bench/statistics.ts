// Measured numbers in; means, medians, the error of a difference of means, and percentiles out.

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Divided by n - 1; NaN for fewer than two values. */
export function sampleVariance(values: readonly number[]): number {
  if (values.length < 2) return Number.NaN;
  const centre = mean(values);
  return values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
}

export interface Comparison {
  ours: number;
  peer: number;
  /** ours - peer. */
  difference: number;
  /** Of the difference of two independent means (Welch); NaN when a side has fewer than two values. */
  standardError: number;
}

export function compareMeans(ours: readonly number[], peer: readonly number[]): Comparison {
  const standardError = Math.sqrt(sampleVariance(ours) / ours.length + sampleVariance(peer) / peer.length);
  return {ours: mean(ours), peer: mean(peer), difference: mean(ours) - mean(peer), standardError};
}

/** Difference that two sides may show and still count as the same: the larger of `least` and two standard errors. */
export const allowedDifference = ({standardError}: Comparison, least: number): number =>
  Number.isNaN(standardError) ? least : Math.max(least, 2 * standardError);

/** The smallest value that at least this share of the values does not exceed (nearest rank); NaN for no values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The middle value, or the mean of the middle two; NaN for no values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
