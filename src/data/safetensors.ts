// A .safetensors file ↔ named tensors: https://github.com/huggingface/safetensors#format. The header is read and checked at once, values
// by position when they are asked for.
import {closeSync, constants, fstatSync, openSync, readSync, type Stats} from 'node:fs';
import {FtftError} from '../errors.js';
import {hasCode, writeFileAtomically} from './atomic-file.js';
import type {NamedTensor} from './types.js';

/** The format's own limit. */
const maxHeaderBytes = 100_000_000;
const maxReadBytes = 1 << 30;
const dtypeBytes: Record<string, number> = {
  ...{BOOL: 1, U8: 1, I8: 1, F8_E4M3: 1, F8_E5M2: 1, U16: 2, I16: 2, F16: 2, BF16: 2},
  ...{U32: 4, I32: 4, F32: 4, U64: 8, I64: 8, F64: 8},
};

interface Entry {
  name: string;
  dtype: string;
  shape: number[];
  /** Bytes from the end of the header. */
  begin: number;
  end: number;
}

interface Header {
  entries: Entry[];
  metadata: Record<string, string>;
  /** Where the values begin in the file. */
  dataStart: number;
  stats: Stats;
}

/**
 * Tensors of a file by name, in the order of their bytes; F64, F16 and BF16 become float32 on read(), which refuses other types.
 * FAILED_PRECONDITION/MODEL_INVALID when the file is not whole and well-formed.
 */
export function openSafetensors(file: string): Map<string, NamedTensor> {
  const {entries, dataStart, stats} = readHeader(file);
  const tensors = entries.map(entry => ({
    name: entry.name,
    shape: entry.shape,
    read: () => readTensor(file, entry, dataStart, stats),
  }));
  return new Map(tensors.map(tensor => [tensor.name, tensor]));
}

/** The header's free texts, such as {format: 'pt'}. */
export function readSafetensorsMetadata(file: string): Record<string, string> {
  return readHeader(file).metadata;
}

/** Writes float32 tensors in the order given, one in memory at a time; the file is there whole or not at all. */
export async function writeSafetensors(
  file: string,
  tensors: Iterable<NamedTensor>,
  metadata?: Record<string, string>,
): Promise<void> {
  const list = [...tensors];
  let offset = 0;
  const header: [string, unknown][] = metadata ? [['__metadata__', metadata]] : [];
  for (const {name, shape} of list) {
    const begin = offset;
    offset += 4 * numValues(shape);
    header.push([name, {dtype: 'F32', shape, data_offsets: [begin, offset]}]);
  }
  if (new Set(header.map(([name]) => name)).size < header.length)
    throw new Error(`two tensors of ${file} have the same name`);
  await writeFileAtomically(file, chunks(list, JSON.stringify(Object.fromEntries(header))));
}

function* chunks(tensors: NamedTensor[], header: string): Generator<Uint8Array> {
  const bytes = Buffer.from(header);
  // Spaces align the values at 8 bytes, as the format asks.
  const padded = Buffer.alloc(8 + 8 * Math.ceil(bytes.length / 8), ' ');
  padded.writeBigUInt64LE(BigInt(padded.length - 8));
  bytes.copy(padded, 8);
  yield padded;
  for (const tensor of tensors) {
    const values = tensor.read();
    if (values.length !== numValues(tensor.shape))
      throw new Error(`${tensor.name} has ${values.length} values for shape [${tensor.shape}]`);
    yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
}

function readHeader(file: string): Header {
  return withFile(file, descriptor => {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw invalid(file, 'it must be a regular file');
    if (stats.size < 8)
      throw invalid(file, `it must begin with 8 bytes of header length, the file has ${stats.size} bytes`);
    const length = Number(readBytes(file, descriptor, 0, 8).readBigUInt64LE());
    if (length > maxHeaderBytes)
      throw invalid(file, `its header must have at most ${maxHeaderBytes} bytes, found ${length}`);
    const dataStart = 8 + length;
    if (dataStart > stats.size)
      throw invalid(file, `its header must end inside the file of ${stats.size} bytes, found a length of ${length}`);
    const {entries, metadata} = parseHeader(file, readBytes(file, descriptor, 8, length));
    checkOffsets(file, entries, stats.size - dataStart);
    return {entries, metadata, dataStart, stats};
  });
}

function parseHeader(file: string, bytes: Buffer): {entries: Entry[]; metadata: Record<string, string>} {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(bytes));
  } catch (error) {
    throw invalid(file, `its header must be JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (!isObject(header)) throw invalid(file, 'its header must be a JSON object');
  const {__metadata__: metadata = {}, ...tensors} = header;
  if (!isObject(metadata) || !Object.values(metadata).every(value => typeof value === 'string'))
    throw invalid(file, '__metadata__ must map texts to texts');
  const entries = Object.entries(tensors).map(([name, value]) => parseEntry(file, name, value));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  return {entries, metadata: metadata as Record<string, string>};
}

function parseEntry(file: string, name: string, value: unknown): Entry {
  const {dtype, shape, data_offsets: offsets} = isObject(value) ? value : {};
  const label = JSON.stringify(name.slice(0, 200));
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypeBytes, dtype))
    throw invalid(
      file,
      `tensor ${label} must have a dtype of ${Object.keys(dtypeBytes).join(', ')}, found ${brief(dtype)}`,
    );
  if (!isCounts(shape) || shape.length > 16)
    throw invalid(file, `tensor ${label} must have a shape of at most 16 whole numbers, found ${brief(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1])
    throw invalid(file, `tensor ${label} must have data_offsets [begin, end], found ${brief(offsets)}`);
  const [begin, end] = offsets;
  const size = numValues(shape) * dtypeBytes[dtype];
  if (size !== end - begin)
    throw invalid(
      file,
      `tensor ${label} of shape [${shape}] and ${dtype} must have ${size} bytes, found ${end - begin}`,
    );
  return {name, dtype, shape, begin, end};
}

function checkOffsets(file: string, entries: Entry[], dataBytes: number): void {
  let position = 0;
  for (const {name, begin, end} of entries) {
    if (begin !== position)
      throw invalid(
        file,
        `tensor ${JSON.stringify(name)} must begin at byte ${position}, found ${begin}: a hole or an overlap`,
      );
    position = end;
  }
  if (position !== dataBytes)
    throw invalid(
      file,
      `it must hold ${position} bytes of values, found ${dataBytes}: it is cut off or has bytes too many`,
    );
}

function readTensor(file: string, {name, dtype, begin, end}: Entry, dataStart: number, opened: Stats): Float32Array {
  if (!['F32', 'F64', 'F16', 'BF16'].includes(dtype))
    throw invalid(
      file,
      `tensor ${JSON.stringify(name)} must be F32, F64, F16 or BF16 to be used as a weight, found ${dtype}`,
    );
  return withFile(file, descriptor => {
    const {ino, size, mtimeMs} = fstatSync(descriptor);
    if (ino !== opened.ino || size !== opened.size || mtimeMs !== opened.mtimeMs)
      throw invalid(file, 'it must stay as it was when it was opened; it has been replaced or changed');
    const {buffer} = readBytes(file, descriptor, dataStart + begin, end - begin);
    if (dtype === 'F32') return new Float32Array(buffer);
    if (dtype === 'F64') return Float32Array.from(new Float64Array(buffer));
    return widen(new Uint16Array(buffer), dtype === 'F16' ? halfBits : half => half << 16);
  });
}

function widen(halves: Uint16Array, toFloatBits: (half: number) => number): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < bits.length; i++) bits[i] = toFloatBits(halves[i]);
  return new Float32Array(bits.buffer);
}

/** Bits of the float32 that equals a float16. */
function halfBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 31) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // Subnormal: shift the leading bit into the hidden place.
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | ((fraction << (shift + 13)) & 0x7fffff);
}

function readBytes(file: string, descriptor: number, position: number, length: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.from(new ArrayBuffer(length));
  for (let done = 0; done < length; ) {
    const count = readSync(descriptor, bytes, done, Math.min(length - done, maxReadBytes), position + done);
    if (count === 0) throw invalid(file, `it must have ${position + length} bytes, it ends at ${position + done}`);
    done += count;
  }
  return bytes;
}

function withFile<T>(file: string, use: (descriptor: number) => T): T {
  let descriptor: number;
  try {
    // Without O_NONBLOCK a named pipe would wait for its writer.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw invalid(file, 'there is no such file');
    if (hasCode(error, 'EACCES')) throw invalid(file, 'it must be readable for this user');
    throw error;
  }
  try {
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function numValues(shape: number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(count => Number.isSafeInteger(count) && count >= 0);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function brief(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 80);
}

function invalid(file: string, expected: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot read ${file}: ${expected}`, {reason: 'MODEL_INVALID'});
}
