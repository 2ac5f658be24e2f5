// A zstd file (RFC 8878: frames one after the other) → its content, block by block; windows are bounded, checksums checked.
import {Decompress} from 'fzstd';
import xxhash from 'xxhash-wasm';
import {ByteReader} from './byte-reader.js';

/** The bytes are not what a whole zstd file holds. */
export class ZstdError extends Error {}

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
/** What zstd itself unpacks without being told to, and all that our memory is asked for. */
const maxWindowBytes = 2 ** 27;
const maxBlockBytes = 2 ** 17;
const rle = 1;

/** Throws ZstdError; never holds more than a window and a block. */
export async function* unzstd(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(bytes);
  try {
    while ((await reader.peek(1)).length > 0) yield* frame(reader);
  } finally {
    await reader.close();
  }
}

async function* frame(reader: ByteReader): AsyncGenerator<Uint8Array> {
  const magic = await read(reader, 4);
  const number = uint(magic);
  if ((number & ~0xf) >>> 0 === skippableMagic) {
    await skip(reader, uint(await read(reader, 4)));
    return;
  }
  if (number !== frameMagic) throw new ZstdError('a frame does not begin as one');
  const {header, hasChecksum} = await frameHeader(reader);
  const output: Uint8Array[] = [];
  const decoder = new Decompress(piece => {
    output.push(piece);
  });
  const hash = hasChecksum ? (await xxhash()).create64() : undefined;
  decode(decoder, Buffer.concat([magic, header]), false);
  for (let isLast = false; !isLast; ) {
    const blockHeader = await read(reader, 3);
    const word = uint(blockHeader);
    isLast = (word & 1) === 1;
    const size = word >>> 3;
    if (size > maxBlockBytes) throw new ZstdError(`a block has ${size} bytes`);
    const content = await read(reader, ((word >>> 1) & 3) === rle ? 1 : size);
    const checksum = isLast && hasChecksum ? await read(reader, 4) : Buffer.alloc(0);
    decode(decoder, Buffer.concat([blockHeader, content, checksum]), isLast);
    for (const piece of output.splice(0)) {
      hash?.update(piece);
      if (piece.length > 0) yield piece;
    }
    if (hash && isLast && Number(hash.digest() & 0xffffffffn) !== uint(checksum))
      throw new ZstdError('the checksum of its content differs');
  }
}

/** All of it but the magic number. */
async function frameHeader(reader: ByteReader): Promise<{header: Uint8Array; hasChecksum: boolean}> {
  const [descriptor] = await reader.peek(1);
  if (descriptor === undefined) throw cut();
  const isSingleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x08) !== 0) throw new ZstdError('a reserved bit is set');
  if ((descriptor & 0x03) !== 0) throw new ZstdError('it needs a dictionary');
  const sizeFlag = descriptor >>> 6;
  const sizeBytes = sizeFlag === 0 ? Number(isSingleSegment) : 1 << sizeFlag;
  const header = await read(reader, 1 + Number(!isSingleSegment) + sizeBytes);
  const window = isSingleSegment ? contentSize(header.subarray(1)) : windowSize(header[1]);
  if (window > maxWindowBytes)
    throw new ZstdError(`it needs a window of ${window} bytes, at most ${maxWindowBytes} are allowed`);
  return {header, hasChecksum: (descriptor & 0x04) !== 0};
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentSize(bytes: Uint8Array): number {
  return uint(bytes) + (bytes.length === 2 ? 256 : 0);
}

function decode(decoder: Decompress, bytes: Uint8Array, isLast: boolean): void {
  try {
    decoder.push(bytes, isLast);
  } catch (error) {
    throw new ZstdError(error instanceof Error ? error.message : String(error));
  }
}

async function read(reader: ByteReader, count: number): Promise<Uint8Array> {
  const found = await reader.read(count);
  if (!found) throw cut();
  return found;
}

async function skip(reader: ByteReader, count: number): Promise<void> {
  for (let left = count; left > 0; ) left -= (await read(reader, Math.min(left, maxBlockBytes))).length;
}

function cut(): ZstdError {
  return new ZstdError('it ends before its end');
}

/** Little-endian; exact up to 2^53. */
function uint(bytes: Uint8Array): number {
  return bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
}
