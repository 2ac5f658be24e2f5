// Typed arrays → the byte columns of the contract: little-endian float32, and bits with the least significant first.

/** Bytes of values[first … end); empty where the column is. The arrays of this program are little-endian on every platform it runs on. */
export function floatColumn(values: Float32Array, first: number, end: number): Buffer {
  const part = values.subarray(first, end);
  return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
}

export function packBits(count: number, isSet: (index: number) => boolean): Buffer {
  const bits = Buffer.alloc(Math.ceil(count / 8));
  for (let i = 0; i < count; i++) if (isSet(i)) bits[i >> 3] |= 1 << (i & 7);
  return bits;
}

export const bitAt = (bits: Uint8Array, index: number): boolean => ((bits[index >> 3] >> (index & 7)) & 1) === 1;

/** Messages stay under this, as L7 proxies and slow clients like it. */
export const maxMessageBytes = 256 * 1024;
/** Token, numbers and tags beside the columns. */
export const messageOverheadBytes = 1024;
