// A number that is at most 0 in, its exponential out: by tables and a polynomial, since Math.exp is a call that costs several times more.

/** Parts of a power of two that the table of fractions has. */
const parts = 256;
const partsPerUnit = parts / Math.LN2;
const unitsPerPart = Math.LN2 / parts;
/** Below this e^x is nearer to 0 than to the least float32. */
const least = -104;

/** 2^(j / 256) */
const fractions = Float64Array.from({length: parts}, (_, j) => 2 ** (j / parts));
/** 2^-k */
const powers = Float64Array.from({length: 152}, (_, k) => 2 ** -k);

/**
 * e^x for x <= 0, within 2^-42 of it: x = (256 k + j + f) ln 2 / 256 with integers k and j and |f| <= 1/2, so that
 * e^x = 2^k 2^(j / 256) e^r and r = f ln 2 / 256 is small enough for four terms. NaN for NaN.
 */
export function exponential(x: number): number {
  if (x < least) return 0;
  const part = (x * partsPerUnit - 0.5) | 0;
  const r = x - part * unitsPerPart;
  return fractions[part & (parts - 1)] * powers[-(part >> 8)] * (1 + r * (1 + r * (0.5 + r * (1 / 6))));
}
