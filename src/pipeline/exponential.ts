// A number that is at most 0 in, its exponential out: by a table and a polynomial, since Math.exp is a call that costs several times more.

/** Below this e^x is nearer to 0 than to the least float32. */
const least = -104;
/** A power of two, so that what is left of x is exact. */
const partsPerUnit = 256;
/** e^(-n / 256) */
const table = Float64Array.from({length: -least * partsPerUnit + 1}, (_, n) => Math.exp(-n / partsPerUnit));

/** e^x for x <= 0, within 2^-40 of it: x = r - n / 256 with |r| <= 1 / 512, for which four terms of e^r do. NaN for NaN. */
export function exponential(x: number): number {
  if (x < least) return 0;
  const n = (0.5 - x * partsPerUnit) | 0;
  const r = x + n / partsPerUnit;
  return table[n] * (1 + r * (1 + r * (0.5 + r * (1 / 6))));
}
