// Seeded random streams. Initialisation, order, dropout and selection each draw from a stream of their own, so that changing one
// does not move the others. Imports nothing.

/** Uniform in [0, 1), 32 bits of resolution. */
export type RandomStream = () => number;

/** What a stream is for; streams of different purposes are independent. */
export type Purpose = 'initialisation' | 'order' | 'dropout' | 'selection' | 'data';

/** Hashes the key to four 32-bit words (MurmurHash3's finaliser over FNV-1a of the purpose), the state of sfc32. */
export function randomStream(seed: number, purpose: Purpose, ...counters: number[]): RandomStream {
  let hash = 0x811c9dc5;
  for (const char of purpose) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  const words = [seed, ...counters];
  const next = (salt: number) => {
    let h = hash ^ Math.imul(salt, 0x9e3779b9);
    for (const word of words) h = mix(h ^ mix(word + Math.imul(salt, 0x85ebca6b)));
    return mix(h);
  };
  return sfc32(next(1), next(2), next(3), next(4));
}

/** Fisher–Yates over 0..n-1. */
export function permutation(n: number, random: RandomStream): Int32Array {
  const order = Int32Array.from({length: n}, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const moved = order[i];
    order[i] = order[j];
    order[j] = moved;
  }
  return order;
}

/** Standard normal values by Box and Muller. */
export function normals(n: number, random: RandomStream): Float32Array {
  const values = new Float32Array(n);
  for (let i = 0; i < n; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < n) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

/** Two 32-bit integers for TensorFlow's stateless random ops. */
export function statelessSeed(seed: number, purpose: Purpose, ...counters: number[]): [number, number] {
  const random = randomStream(seed, purpose, ...counters);
  return [(random() * 2 ** 32) | 0, (random() * 2 ** 32) | 0];
}

function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}

/** Chris Doty-Humphrey's sfc32, passes PractRand; public domain. */
function sfc32(a: number, b: number, c: number, counter: number): RandomStream {
  const step = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 15; i++) step();
  return step;
}
