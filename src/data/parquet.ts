// The bytes of a Parquet file and the columns wanted of it → its rows, read by a child process whose memory and time are bounded.
import {spawn} from 'node:child_process';
import {randomUUID} from 'node:crypto';
import {once} from 'node:events';
import {createWriteStream} from 'node:fs';
import {mkdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {extname, join} from 'node:path';
import {pipeline} from 'node:stream/promises';
import {fileURLToPath} from 'node:url';
import {explainDiskError} from './atomic-file.js';
import type {Row} from './row-readers.js';
import {LineError, lineBlocks} from './text-lines.js';

const maxHeapMb = 1024;
/** Without a word of it; its largest piece of work is one row group. */
const maxSilenceMs = 120_000;
/** JSON escapes a character to six at most. */
const escaped = 6;

export interface ParquetOptions {
  /** Rows come only where all of them are in the file, once. */
  wanted: string[];
  /** Come with the rows where they are there. */
  others?: string[];
  maxRowBytes: number;
  /** Where the file lies meanwhile, since its directory stands at its end; the system's for temporary files when undefined. */
  temporaryFolder?: string;
}

export interface ParquetFile {
  /** Those that hold one value a row, in the file's order. */
  columns: string[];
  rows: AsyncGenerator<Row>;
}

/** LineError where the bytes are no file that can be read; its line is the row, 0 where it is no row's fault. */
export async function withParquet(
  bytes: AsyncIterable<Uint8Array>,
  options: ParquetOptions,
  use: (file: ParquetFile) => Promise<void>,
): Promise<void> {
  const {temporaryFolder = tmpdir()} = options;
  const path = join(temporaryFolder, `${randomUUID()}.parquet`);
  try {
    await mkdir(temporaryFolder, {recursive: true});
    await pipeline(bytes, createWriteStream(path, {flags: 'wx'})).catch(error => {
      throw explainDiskError(error, temporaryFolder);
    });
    const file = await openParquet(path, options);
    try {
      await use(file);
    } finally {
      await file.close();
    }
  } finally {
    await rm(path, {force: true});
  }
}

async function openParquet(
  file: string,
  {wanted, others = [], maxRowBytes}: ParquetOptions,
): Promise<ParquetFile & {close(): Promise<void>}> {
  const entry = fileURLToPath(new URL(`./parquet-child${extname(import.meta.url)}`, import.meta.url));
  const limits = [`--max-old-space-size=${maxHeapMb}`];
  const command = [...process.execArgv, ...limits, entry, file, JSON.stringify(wanted), JSON.stringify(others)];
  const child = spawn(process.execPath, command, {stdio: ['ignore', 'pipe', 'pipe']});
  let found = '';
  child.stderr.on('data', chunk => {
    if (found.length < 10_000) found += chunk;
  });
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  ended.catch(() => {});
  let isSilent = false;
  async function* output(): AsyncGenerator<Uint8Array> {
    const chunks = child.stdout[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    while (true) {
      const timer = setTimeout(() => {
        isSilent = true;
        child.kill('SIGKILL');
      }, maxSilenceMs);
      const next = await chunks.next().finally(() => clearTimeout(timer));
      if (next.done) break;
      yield next.value;
    }
    const [status, signal] = await ended;
    if (status === 2) throw new LineError(0, `expected a Parquet file, found ${found}`);
    if (status === 0) return;
    // Node ends so when its heap is full, or an array would not fit into it.
    const isOutOfMemory = signal !== null || status === 134;
    if (!isSilent && !isOutOfMemory) throw new Error(`The Parquet reader ended with ${status ?? signal}: ${found}`);
    const limit = isSilent ? `${maxSilenceMs / 1000} s a row group` : `${maxHeapMb} MiB of memory`;
    throw new LineError(0, `expected a Parquet file that can be read in ${limit}, found one that cannot`);
  }
  const lines = rowLines(output(), maxRowBytes * escaped);
  const close = async () => {
    child.kill('SIGKILL');
    await ended.catch(() => {});
  };
  try {
    const header = await lines.next();
    if (header.done) throw new Error('The Parquet reader said nothing');
    return {columns: JSON.parse(header.value) as string[], rows: rowsOf(lines), close};
  } catch (error) {
    await close();
    throw error;
  }
}

async function* rowLines(bytes: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string> {
  try {
    for await (const {text} of lineBlocks(bytes, maxBytes)) yield* text.split('\n').filter(line => line !== '');
  } catch (error) {
    // The first line is the header's.
    if (error instanceof LineError && error.line > 0) throw new LineError(error.line - 1, error.message);
    throw error;
  }
}

async function* rowsOf(lines: AsyncGenerator<string>): AsyncGenerator<Row> {
  let line = 0;
  for await (const source of lines) yield {line: ++line, object: JSON.parse(source), source};
}
