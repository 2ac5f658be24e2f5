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

/** Newcombe's hybrid score interval of a − b for two independent shares (Newcombe 1998, method 10). */
export function differenceInterval(a: number, nA: number, b: number, nB: number): Interval {
  const [ofA, ofB] = [wilson(a, nA), wilson(b, nB)];
  return {
    low: a - b - Math.hypot(a - ofA.low, ofB.high - b),
    high: a - b + Math.hypot(ofA.high - a, b - ofB.low),
  };
}
