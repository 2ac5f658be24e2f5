// Bytes of a file → the same unpacked where they are gzip or zstd, known by how they begin; what comes out is bounded.
import {Readable} from 'node:stream';
import {createGunzip} from 'node:zlib';
import {FtftError} from '../errors.js';
import {ByteReader} from './byte-reader.js';
import {LineError} from './text-lines.js';
import {unzstd, ZstdError} from './zstd.js';

const gzipMagic = [0x1f, 0x8b];
const zstdMagic = [0x28, 0xb5, 0x2f, 0xfd];

/**
 * No file of text begins like either of them. LineError of no line where the packed bytes are damaged,
 * RESOURCE_EXHAUSTED/MESSAGE_TOO_LARGE beyond maxBytes of content.
 */
export async function* decompressed(
  bytes: AsyncIterable<Uint8Array>,
  {fileName, maxBytes}: {fileName: string; maxBytes: number},
): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(bytes);
  try {
    const start = await reader.peek(4);
    const begins = (magic: number[]) => magic.every((byte, i) => start[i] === byte);
    const content = begins(gzipMagic)
      ? gunzip(reader.rest())
      : begins(zstdMagic)
        ? unzstd(reader.rest())
        : reader.rest();
    let size = 0;
    for await (const chunk of content) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(fileName, maxBytes);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof ZstdError) throw damaged('zstd', error);
    throw error;
  } finally {
    await reader.close();
  }
}

async function* gunzip(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(bytes);
  const unpacker = createGunzip();
  let sourceError: unknown;
  source.once('error', error => {
    sourceError = error;
    unpacker.destroy(error);
  });
  try {
    for await (const chunk of source.pipe(unpacker)) yield chunk as Buffer;
  } catch (error) {
    throw sourceError ?? damaged('gzip', error);
  } finally {
    source.destroy();
    unpacker.destroy();
  }
}

function damaged(format: string, error: unknown): LineError {
  return new LineError(0, `expected a whole ${format} file, found a damaged one: ${(error as Error).message}`);
}

function tooLarge(fileName: string, maxBytes: number): FtftError {
  return new FtftError(
    'RESOURCE_EXHAUSTED',
    `Cannot read ${fileName}: expected at most ${maxBytes} bytes, found more`,
    {
      reason: 'MESSAGE_TOO_LARGE',
      metadata: {limit_bytes: String(maxBytes)},
    },
  );
}
