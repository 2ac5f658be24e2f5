// Files, or standard input → ImportDataset: bytes in pieces as they are, never a whole file in memory. The server unpacks.
import {createReadStream} from 'node:fs';
import {open, stat} from 'node:fs/promises';
import {basename} from 'node:path';
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

export const fileFormats: Record<string, FileFormat> = {
  jsonl: FileFormat.FILE_FORMAT_JSONL,
  csv: FileFormat.FILE_FORMAT_CSV,
  tsv: FileFormat.FILE_FORMAT_TSV,
  parquet: FileFormat.FILE_FORMAT_PARQUET,
};
const endings: Record<string, FileFormat> = {
  ...fileFormats,
  ndjson: FileFormat.FILE_FORMAT_JSONL,
  json: FileFormat.FILE_FORMAT_JSONL,
  tab: FileFormat.FILE_FORMAT_TSV,
};

/** By the name's ending, .gz and .zst apart; undefined when it says nothing. */
export function formatOfName(file: string): FileFormat | undefined {
  return endings[/\.([a-z]+)(?:\.(?:gz|zst))?$/i.exec(file)?.[1].toLowerCase() ?? ''];
}

/** By its first bytes where they tell, else by its name. */
export async function formatOfFile(file: string): Promise<FileFormat | undefined> {
  await checkReadable(file);
  const handle = await open(file);
  try {
    const {buffer, bytesRead} = await handle.read(Buffer.alloc(4), 0, 4, 0);
    const start = buffer.toString('latin1', 0, bytesRead);
    if (start === 'PAR1') return FileFormat.FILE_FORMAT_PARQUET;
    return formatOfName(file) ?? (start.startsWith('{') ? FileFormat.FILE_FORMAT_JSONL : undefined);
  } finally {
    await handle.close();
  }
}

/** Bytes of the file; `-` is standard input. */
export async function* readBytes(file: string, stdin: NodeJS.ReadableStream): AsyncGenerator<Uint8Array> {
  if (file !== '-') await checkReadable(file);
  const source: NodeJS.ReadableStream = file === '-' ? stdin : createReadStream(file, {highWaterMark: pieceBytes});
  for await (const piece of source) yield* cut(Buffer.from(piece));
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

/** A message without a part, which no server takes: a stream that breaks off could look like one that ends. */
export const unfinished = {part: undefined};

/** What comes after so many lines. */
export async function* withoutFirstLines(
  bytes: AsyncIterable<Uint8Array>,
  numLines: number,
): AsyncGenerator<Uint8Array> {
  let left = numLines;
  for await (const piece of bytes) {
    let start = 0;
    while (left > 0) {
      const newline = piece.indexOf(10, start);
      if (newline < 0) break;
      start = newline + 1;
      left--;
    }
    if (left === 0) yield piece.subarray(start);
  }
}

/** Whole or nothing: the server keeps a split only when every row was right. */
export async function importFiles(
  client: FtftServiceClient,
  header: DeepPartial<ImportDatasetHeader>,
  files: {name: string; bytes: AsyncIterable<Uint8Array>}[],
  signal: AbortSignal,
): Promise<ImportDatasetResponse> {
  async function* parts(): AsyncGenerator<DeepPartial<ImportDatasetRequest>> {
    yield {part: {$case: 'header', value: header}};
    try {
      for (const [i, {name, bytes}] of files.entries()) {
        if (i > 0) yield {part: {$case: 'fileStart', value: {fileName: basename(name)}}};
        for await (const data of bytes) yield {part: {$case: 'data', value: Buffer.from(data)}};
      }
    } catch (error) {
      yield unfinished;
      throw error;
    }
  }
  return await client.importDataset(parts(), {signal});
}

export function importBytes(
  client: FtftServiceClient,
  header: DeepPartial<ImportDatasetHeader>,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<ImportDatasetResponse> {
  return importFiles(client, header, [{name: '', bytes}], signal);
}

export async function checkReadable(file: string): Promise<void> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => error.code ?? 'unreadable');
  if (typeof found === 'string')
    throw wrongUsage(`Cannot read ${file}: ${found === 'ENOENT' ? 'there is no such file' : found}`);
  if (found.isDirectory()) throw wrongUsage(`Cannot read ${file}: it must be a file, this is a folder`);
}

function* cut(piece: Buffer): Generator<Uint8Array> {
  for (let from = 0; from < piece.length; from += pieceBytes) yield piece.subarray(from, from + pieceBytes);
}
