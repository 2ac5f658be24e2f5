// float32 values in; their smallest values, ranks and order out, by counting digits of their bits: no comparisons, linear time.

const highBins = 1 << 16;
const digitBits = 11;
const digitMask = (1 << digitBits) - 1;

/** Unsigned integer that orders like the float32 of these bits; NaN of the usual sign comes last. */
const orderable = (bits: number): number => (bits ^ ((bits >> 31) | 0x80000000)) >>> 0;

const bitsOf = (values: Float32Array): Int32Array => new Int32Array(values.buffer, values.byteOffset, values.length);

export function hasNaN(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) return true;
  return false;
}

/**
 * Values at these ascending places (0-based) of the sorted order. The values hold no NaN. One pass counts the upper halves of all
 * bits, one more for each different upper half wanted counts the lower halves.
 */
export function valuesAt(values: Float32Array, places: number[]): number[] {
  const bits = bitsOf(values);
  const upper = new Uint32Array(highBins);
  for (let i = 0; i < bits.length; i++) upper[orderable(bits[i]) >>> 16]++;
  const lower = new Uint32Array(highBins);
  let counted = -1;
  const found = new Float32Array(1);
  const foundBits = bitsOf(found);
  return places.map(place => {
    const [high, within] = locate(upper, place);
    if (high !== counted) {
      lower.fill(0);
      for (let i = 0; i < bits.length; i++) {
        const key = orderable(bits[i]);
        if (key >>> 16 === high) lower[key & 0xffff]++;
      }
      counted = high;
    }
    const key = ((high << 16) | locate(lower, within)[0]) >>> 0;
    foundBits[0] = key >>> 31 === 1 ? key ^ 0x80000000 : ~key;
    return found[0];
  });
}

/** Bin that holds a place of the sorted order, and the place inside it. */
function locate(counts: Uint32Array, place: number): [bin: number, within: number] {
  let bin = 0;
  let within = place;
  while (within >= counts[bin]) within -= counts[bin++];
  return [bin, within];
}

/** Indices in ascending order of their values; equal values keep the order of their indices. NaN of the usual sign comes last. */
export function ascendingOrder(values: Float32Array): Uint32Array {
  const n = values.length;
  const bits = bitsOf(values);
  let order = new Uint32Array(n);
  let next = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  // Zeros of either sign are equal.
  const key = (i: number) => (bits[i] === -0x80000000 ? 0x80000000 : orderable(bits[i]));
  for (let shift = 0; shift < 32; shift += digitBits) {
    const starts = new Uint32Array(digitMask + 2);
    for (let i = 0; i < n; i++) starts[((key(i) >>> shift) & digitMask) + 1]++;
    for (let digit = 0; digit <= digitMask; digit++) starts[digit + 1] += starts[digit];
    for (let at = 0; at < n; at++) {
      const i = order[at];
      next[starts[(key(i) >>> shift) & digitMask]++] = i;
    }
    [order, next] = [next, order];
  }
  return order;
}

/** Places in ascending order from 1 on, equal values sharing the mean of theirs. The values hold no NaN. */
export function meanRanks(values: Float32Array): Float64Array {
  const order = ascendingOrder(values);
  const ranks = new Float64Array(values.length);
  for (let first = 0, end = 0; first < order.length; first = end) {
    while (end < order.length && values[order[end]] === values[order[first]]) end++;
    for (let at = first; at < end; at++) ranks[order[at]] = (first + 1 + end) / 2;
  }
  return ranks;
}
