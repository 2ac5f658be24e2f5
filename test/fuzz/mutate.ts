// A valid message and a stream of random numbers → messages that are wrong in the ways that a wire can carry.

export type Random = () => number;

export const below = (n: number, random: Random): number => Math.floor(random() * n);
export const oneOf = <T>(items: readonly T[], random: Random): T => items[below(items.length, random)];

export const strangeTexts = [
  '',
  ' ',
  '\0',
  '../../etc/passwd',
  'runs/../../x',
  'runs/ref/../other',
  'local:../..',
  'local:/etc',
  'file:///etc/passwd',
  '__proto__',
  'constructor',
  'error',
  "'; drop table runs; --",
  '%00%2e%2e%2f',
  '\u202e\u0000\ufffe',
  '\ud83d\ude00'.repeat(40),
  'a'.repeat(63),
  'a'.repeat(64),
  'a'.repeat(10_000),
  'ſ',
  'runs/',
  '{"$case":"x"}',
  '=cmd()',
];
export const strangeNumbers = [
  0,
  -0,
  1,
  -1,
  2,
  63,
  64,
  127,
  128,
  255,
  256,
  1000,
  1001,
  65_536,
  1e6,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 32 - 1,
];
const large = [2 ** 53 - 1, -(2 ** 53 - 1), 1e308, -1e308, 5e-324, Number.NaN, Number.POSITIVE_INFINITY, 0.5, 1 / 3];
const bytes = [0x00, 0x01, 0x07, 0x08, 0x7f, 0x80, 0xff];

/** Bytes of a message with some of them changed, lost, doubled, or cut off. */
export function mutateBytes(message: Uint8Array, random: Random): Buffer {
  let mutated = Buffer.from(message);
  for (let n = 1 + below(4, random); n > 0; n--) {
    const at = below(mutated.length + 1, random);
    switch (below(7, random)) {
      case 0:
        if (at < mutated.length) mutated[at] ^= 1 << below(8, random);
        break;
      case 1:
        if (at < mutated.length) mutated[at] = oneOf(bytes, random);
        break;
      case 2:
        mutated = mutated.subarray(0, at);
        break;
      case 3:
        mutated = Buffer.concat([
          mutated.subarray(0, at),
          randomBytes(1 + below(16, random), random),
          mutated.subarray(at),
        ]);
        break;
      case 4:
        mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(at + 1 + below(8, random))]);
        break;
      case 5: {
        // A length or a number of as many bytes as a varint may have, and more.
        const varint = Buffer.alloc(1 + below(11, random), 0xff);
        mutated = Buffer.concat([mutated.subarray(0, at), varint, Buffer.of(below(128, random)), mutated.subarray(at)]);
        break;
      }
      default:
        mutated = Buffer.concat([mutated, mutated.subarray(at)]);
    }
  }
  // A cut of what was a buffer of others must not be written to.
  return Buffer.from(mutated.subarray(0, 1 << 20));
}

export function randomBytes(length: number, random: Random): Buffer {
  return Buffer.from(Array.from({length}, () => below(256, random)));
}

/** A copy of the message with one to three of its values changed to others of their type. */
export function mutateMessage<T>(message: T, random: Random): T {
  const copy = structuredClone(message);
  for (let n = 1 + below(3, random); n > 0; n--) {
    const places = placesIn(copy);
    if (places.length === 0) return copy;
    const {holder, key} = oneOf(places, random);
    holder[key] = otherValue(holder[key], random);
  }
  return copy;
}

interface Place {
  holder: Record<string, unknown>;
  key: string;
}

function placesIn(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder)
    .filter(key => key !== '$case')
    .flatMap(key => [{holder, key}, ...placesIn(holder[key])]);
}

function otherValue(value: unknown, random: Random): unknown {
  if (typeof value === 'string') {
    if (random() < 0.3) return value.slice(0, below(value.length + 1, random));
    return random() < 0.3 ? value + oneOf(strangeTexts, random) : oneOf(strangeTexts, random);
  }
  if (typeof value === 'number') return oneOf(random() < 0.8 ? strangeNumbers : large, random);
  if (typeof value === 'boolean') return !value;
  if (ArrayBuffer.isView(value)) return randomBytes(below(200, random), random);
  if (value instanceof Date) return new Date(oneOf([0, -1, 8.64e15, Date.now()], random));
  if (Array.isArray(value)) return otherList(value, random);
  if (typeof value === 'object' && value !== null && !('$case' in value) && isTextMap(value)) {
    const grown = {...value, [oneOf(strangeTexts, random)]: oneOf(strangeTexts, random)};
    return random() < 0.1 ? Object.fromEntries(Array.from({length: 100}, (_, i) => [`k${i}`, 'v'])) : grown;
  }
  return random() < 0.5 ? undefined : value;
}

function otherList(list: unknown[], random: Random): unknown[] {
  const of =
    list.length > 0
      ? oneOf(list, random)
      : random() < 0.5
        ? oneOf(strangeNumbers, random)
        : oneOf(strangeTexts, random);
  switch (below(4, random)) {
    case 0:
      return [];
    case 1:
      return [...list, of];
    case 2:
      // Lists of lists would grow to more than a client can send.
      return Array.from({length: oneOf(typeof of === 'object' ? [2, 10] : [2, 100, 5000], random)}, () => of);
    default:
      return [...list].reverse();
  }
}

const isTextMap = (value: object): boolean => Object.values(value).every(entry => typeof entry === 'string');
