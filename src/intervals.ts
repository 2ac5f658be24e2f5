// Right answers out of n → 95 % intervals of the accuracy, and of the difference between two. Imports nothing.

export interface Interval {
  low: number;
  high: number;
}

/** Normal quantile of 97.5 %. */
const z = 1.959963984540054;

/** Wilson's score interval of a binomial share (Wilson 1927). */
export function wilson(share: number, n: number): Interval {
  const middle = share + (z * z) / (2 * n);
  const spread = z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  const scale = 1 + (z * z) / n;
  return {low: Math.max(0, (middle - spread) / scale), high: Math.min(1, (middle + spread) / scale)};
}

/** Student's t at 97.5 %, by degrees of freedom from 1. */
const t = [
  ...[12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228],
  ...[2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11, 2.101, 2.093, 2.086],
];

/** Mean and sample deviation; of no values NaN, of one the deviation is NaN. */
export function meanAndSpread(values: number[]): {mean: number; spread: number} {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {mean, spread: Math.sqrt(squares / (values.length - 1))};
}

/** Student's interval of the mean of values that are normal: wide for few. Above 21 values the last row of the table is used. */
export function meanInterval(values: number[]): Interval {
  const {mean, spread} = meanAndSpread(values);
  const half = (t[Math.min(t.length, values.length - 1) - 1] * spread) / Math.sqrt(values.length);
  return {low: mean - half, high: mean + half};
}

/** Newcombe's hybrid score interval of a − b for two independent shares (Newcombe 1998, method 10). */
export function differenceInterval(a: number, nA: number, b: number, nB: number): Interval {
  const [ofA, ofB] = [wilson(a, nA), wilson(b, nB)];
  return {
    low: a - b - Math.hypot(a - ofA.low, ofB.high - b),
    high: a - b + Math.hypot(ofA.high - a, b - ofB.low),
  };
}
