// A .safetensors file ↔ named tensors: https://github.com/huggingface/safetensors#format. The header is read and checked at once, values
// by position when they are asked for.
import {writeFileAtomically} from './atomic-file.js';
import {dtypeBytes, readFloats} from './float-values.js';
import type {NamedTensor} from './types.js';
import {type FileIdentity, invalidFile as invalid, withWeightsFile} from './weights-file.js';

/** The format's own limit. */
const maxHeaderBytes = 100_000_000;

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
  identity: FileIdentity;
}

/**
 * Tensors of a file by name, in the order of their bytes; all types but the unsigned and the eight-bit floats become float32 on read().
 * FAILED_PRECONDITION/MODEL_INVALID when the file is not whole and well-formed.
 */
export function openSafetensors(file: string): Map<string, NamedTensor> {
  const {entries, dataStart, identity} = readHeader(file);
  const tensors = entries.map(({name, dtype, shape, begin}) => ({
    name,
    shape,
    read: () =>
      withWeightsFile(file, opened => readFloats(opened, name, dtype, dataStart + begin, numValues(shape)), identity),
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

function readHeader(path: string): Header {
  return withWeightsFile(path, file => {
    const {size, identity} = file;
    if (size < 8) throw invalid(path, `it must begin with 8 bytes of header length, the file has ${size} bytes`);
    const length = Number(file.read(0, 8).readBigUInt64LE());
    if (length > maxHeaderBytes)
      throw invalid(path, `its header must have at most ${maxHeaderBytes} bytes, found ${length}`);
    const dataStart = 8 + length;
    if (dataStart > size)
      throw invalid(path, `its header must end inside the file of ${size} bytes, found a length of ${length}`);
    const {entries, metadata} = parseHeader(path, file.read(8, length));
    checkOffsets(path, entries, size - dataStart);
    return {entries, metadata, dataStart, identity};
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
