// Stored numbers of any type that weights come in → float32, a piece at a time, so that no second copy of a tensor is in memory.
import {invalidFile, type WeightsFile} from './weights-file.js';

/** Bytes of one number, by the names that safetensors gives the types. */
export const dtypeBytes: Record<string, number> = {
  ...{BOOL: 1, U8: 1, I8: 1, F8_E4M3: 1, F8_E5M2: 1, U16: 2, I16: 2, F16: 2, BF16: 2},
  ...{U32: 4, I32: 4, F32: 4, U64: 8, I64: 8, F64: 8},
};

const pieceBytes = 1 << 20;

/** Widens or rounds a piece into place, as PyTorch's `.float()` does. */
const converters: Record<string, (piece: ArrayBuffer, into: Float32Array) => void> = {
  F64: (piece, into) => into.set(new Float64Array(piece)),
  F16: widenHalves,
  BF16: widenBrainHalves,
  I64: (piece, into) => into.set(Array.from(new BigInt64Array(piece), Number)),
  I32: (piece, into) => into.set(new Int32Array(piece)),
  I16: (piece, into) => into.set(new Int16Array(piece)),
  I8: (piece, into) => into.set(new Int8Array(piece)),
  U8: (piece, into) => into.set(new Uint8Array(piece)),
  BOOL: (piece, into) => into.set(new Uint8Array(piece)),
};

/** Little-endian numbers at a position. FAILED_PRECONDITION/MODEL_INVALID for types that are no weights, and beyond the file's end. */
export function readFloats(
  file: WeightsFile,
  name: string,
  dtype: string,
  position: number,
  count: number,
): Float32Array {
  const convert = converters[dtype];
  if (dtype !== 'F32' && convert === undefined)
    throw invalidFile(
      file.path,
      `tensor ${JSON.stringify(name)} must be F32, ${Object.keys(converters).join(', ')} to be used as a weight, found ${dtype}`,
    );
  const size = dtypeBytes[dtype];
  file.checkRange(position, count * size);
  const values = new Float32Array(count);
  if (dtype === 'F32') {
    file.readInto(new Uint8Array(values.buffer), position);
    return values;
  }
  const step = pieceBytes / size;
  for (let done = 0; done < count; done += step) {
    const into = values.subarray(done, done + step);
    convert(file.read(position + done * size, into.length * size).buffer, into);
  }
  return values;
}

// A loop each: one that is given what to do with an element takes four times as long.
function widenHalves(piece: ArrayBuffer, into: Float32Array): void {
  const halves = new Uint16Array(piece);
  const bits = bitsOf(into);
  for (let i = 0; i < bits.length; i++) bits[i] = floatBitsOfHalf[halves[i]];
}

function widenBrainHalves(piece: ArrayBuffer, into: Float32Array): void {
  const halves = new Uint16Array(piece);
  const bits = bitsOf(into);
  for (let i = 0; i < bits.length; i++) bits[i] = halves[i] << 16;
}

function bitsOf({buffer, byteOffset, length}: Float32Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length);
}

/** Bits of the float32 that equals each float16. */
const floatBitsOfHalf = Uint32Array.from({length: 1 << 16}, (_, half) => {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 31) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // Subnormal: shift the leading bit into the hidden place.
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | ((fraction << (shift + 13)) & 0x7fffff);
});
