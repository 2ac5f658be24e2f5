// A file, or standard input → ImportDataset: bytes in pieces, gunzipped on the way, never the whole file in memory.
import {createReadStream} from 'node:fs';
import {stat} from 'node:fs/promises';
import {createGunzip} from 'node:zlib';
import {
  FileFormat,
  type ImportDatasetHeader,
  type ImportDatasetRequest,
  type ImportDatasetResponse,
} from '../server/gen/ftft/v1/dataset.js';
import type {DeepPartial, FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {wrongUsage} from './report-error.js';

/** The contract allows 1 MiB. */
const pieceBytes = 512 * 1024;

/** By the name's ending, .gz apart; undefined when it says nothing. */
export function formatOfName(file: string): FileFormat | undefined {
  const ending = /\.([a-z]+)(?:\.gz)?$/i.exec(file)?.[1].toLowerCase();
  if (ending === 'jsonl' || ending === 'ndjson') return FileFormat.FILE_FORMAT_JSONL;
  if (ending === 'csv') return FileFormat.FILE_FORMAT_CSV;
  if (ending === 'tsv' || ending === 'tab') return FileFormat.FILE_FORMAT_TSV;
  return undefined;
}

/** Bytes of the file as they were before gzip; `-` is standard input, which is taken as it comes. */
export async function* readBytes(file: string, stdin: NodeJS.ReadableStream): AsyncGenerator<Uint8Array> {
  if (file !== '-') await checkReadable(file);
  const source: NodeJS.ReadableStream = file === '-' ? stdin : createReadStream(file, {highWaterMark: pieceBytes});
  const gunzip = file.endsWith('.gz') ? createGunzip({chunkSize: pieceBytes}) : undefined;
  if (gunzip) source.once('error', (error: Error) => gunzip.destroy(error));
  try {
    for await (const piece of gunzip ? source.pipe(gunzip) : source) yield* cut(Buffer.from(piece));
  } catch (error) {
    if (gunzip) throw wrongUsage(`Cannot unpack ${file}: it must be a whole gzip file (${(error as Error).message})`);
    throw error;
  }
}

/** The first lines only, without a byte more. */
export async function* firstLines(bytes: AsyncIterable<Uint8Array>, numLines: number): AsyncGenerator<Uint8Array> {
  let left = numLines;
  for await (const piece of bytes) {
    let end = 0;
    while (left > 0) {
      const newline = piece.indexOf(10, end);
      if (newline < 0) break;
      end = newline + 1;
      left--;
    }
    yield left > 0 ? piece : piece.subarray(0, end);
    if (left === 0) return;
  }
}

/** Whole or nothing: the server keeps a split only when every row was right. */
export async function importBytes(
  client: FtftServiceClient,
  header: DeepPartial<ImportDatasetHeader>,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<ImportDatasetResponse> {
  async function* parts(): AsyncGenerator<DeepPartial<ImportDatasetRequest>> {
    yield {part: {$case: 'header', value: header}};
    for await (const data of bytes) yield {part: {$case: 'data', value: Buffer.from(data)}};
  }
  return await client.importDataset(parts(), {signal});
}

async function checkReadable(file: string): Promise<void> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => error.code ?? 'unreadable');
  if (typeof found === 'string')
    throw wrongUsage(`Cannot read ${file}: ${found === 'ENOENT' ? 'there is no such file' : found}`);
  if (found.isDirectory()) throw wrongUsage(`Cannot read ${file}: it must be a file, this is a folder`);
}

function* cut(piece: Buffer): Generator<Uint8Array> {
  for (let from = 0; from < piece.length; from += pieceBytes) yield piece.subarray(from, from + pieceBytes);
}
