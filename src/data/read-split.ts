// The bytes of labelled files (JSON Lines, CSV, TSV, Parquet; packed or not) → examples, whole or not at all; the first wrong rows are
// named by line.
import {createHash} from 'node:crypto';
import {type FieldViolation, FtftError} from '../errors.js';
import {ByteReader} from './byte-reader.js';
import {decompressed} from './decompress.js';
import {withParquet} from './parquet.js';
import {RowReader} from './row-reader.js';
import {csvRows, jsonRows, tsvRows} from './row-readers.js';
import {LineError, lineBlocks} from './text-lines.js';
import type {Example} from './types.js';

export interface SplitFormat {
  format: 'jsonl' | 'csv' | 'tsv' | 'parquet';
  /** Of CSV and TSV. Without one columns are named by their position from 0. */
  hasHeaderRow: boolean;
  columns: {text: string; textPair?: string; label: string; id?: string};
  /** Rows that do not pass all of them are left out, as if they were not there. */
  filters?: RowFilter[];
  /** Classes in index order. */
  classLabels: {name: string; aliases: string[]}[];
  /** For messages. */
  fileName?: string;
  /** Refuses larger files, unpacked, with RESOURCE_EXHAUSTED/MESSAGE_TOO_LARGE. */
  maxBytes?: number;
  /** Of one line, or of one CSV record. */
  maxLineBytes?: number;
  /** Where Parquet files lie while they are read; the system's folder for temporary files when undefined. */
  temporaryFolder?: string;
}

/** Passes rows whose column has one of the values; the others with isExcluding. */
export interface RowFilter {
  column: string;
  values: string[];
  isExcluding: boolean;
}

/** Stands before the bytes of each file of a split but the first, which may have one. */
export interface FileStart {
  fileName: string;
}

export interface ReadSplit {
  examples: Example[];
  isTextPairs: boolean;
  /** In class order. */
  classCounts: number[];
  /** SHA-256, in hex, of the bytes read, unpacked. */
  digest: string;
  /** What did not stop the import: empty and repeated texts. */
  warnings: string[];
}

const maxViolations = 20;

/**
 * Files that are gzip or zstd are unpacked; each has its own header row.
 * INVALID_ARGUMENT/ROWS_INVALID with a violation for each of the first wrong rows; INVALID_FIELD for class labels that clash.
 */
export async function readSplit(parts: AsyncIterable<Uint8Array | FileStart>, format: SplitFormat): Promise<ReadSplit> {
  const {maxBytes = 8 * 2 ** 30, fileName = 'the file'} = format;
  const hash = createHash('sha256');
  const reader = new RowReader(format);
  let leftBytes = maxBytes;
  try {
    for await (const {name, bytes} of filesOf(parts)) {
      const unpacked = decompressed(bytes, {fileName, maxBytes: leftBytes});
      const file = watched(unpacked, chunk => {
        leftBytes -= chunk.length;
        hash.update(chunk);
      });
      reader.beginFile(name);
      await readFile(file, format, reader);
      if (reader.violations.length >= maxViolations) break;
    }
    if (reader.numRows === 0 && reader.violations.length === 0)
      reader.violations.push({field: 'data', description: `expected at least one row, ${reader.emptyReason()}`});
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    reader.refuse(error.line, undefined, error.message);
  }
  if (reader.violations.length > 0) throw wrongRows(fileName, reader.violations);
  return {
    examples: reader.examples,
    isTextPairs: format.columns.textPair !== undefined,
    classCounts: reader.classCounts,
    digest: hash.digest('hex'),
    warnings: reader.warnings(),
  };
}

/** Each file's bytes are to be read to their end before the next is asked for. */
async function* filesOf(
  parts: AsyncIterable<Uint8Array | FileStart>,
): AsyncGenerator<{name: string | undefined; bytes: AsyncGenerator<Uint8Array>}> {
  const iterator = parts[Symbol.asyncIterator]();
  let next = await iterator.next();
  async function* bytesOf(): AsyncGenerator<Uint8Array> {
    for (; !next.done && next.value instanceof Uint8Array; next = await iterator.next()) yield next.value;
  }
  try {
    do {
      let name: string | undefined;
      if (!next.done && !(next.value instanceof Uint8Array)) {
        name = next.value.fileName.slice(0, 100);
        next = await iterator.next();
      }
      yield {name, bytes: bytesOf()};
    } while (!next.done);
  } finally {
    await iterator.return?.();
  }
}

async function readFile(bytes: AsyncIterable<Uint8Array>, format: SplitFormat, reader: RowReader): Promise<void> {
  if (format.format === 'parquet') return await readParquet(bytes, format, reader);
  const {maxLineBytes = 1 << 20} = format;
  const blocks = lineBlocks(textOf(bytes, format.format), maxLineBytes);
  const readers = {jsonl: () => jsonRows(blocks), tsv: () => tsvRows(blocks), csv: () => csvRows(blocks, maxLineBytes)};
  for await (const row of readers[format.format]()) {
    reader.read(row);
    if (reader.violations.length >= maxViolations) break;
  }
}

/** Lines may begin with PAR1; what follows in a Parquet file stands in no line. */
async function* textOf(bytes: AsyncIterable<Uint8Array>, format: string): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(bytes);
  try {
    const start = Buffer.from(await reader.peek(5));
    if (
      start.toString('latin1', 0, 4) === 'PAR1' &&
      start[4] < 0x20 &&
      !'\t\r\n'.includes(String.fromCharCode(start[4]))
    )
      throw new LineError(0, `expected ${format.toUpperCase()}, found a Parquet file`);
    yield* reader.rest();
  } finally {
    await reader.close();
  }
}

async function readParquet(bytes: AsyncIterable<Uint8Array>, format: SplitFormat, reader: RowReader): Promise<void> {
  const {columns, filters = [], maxLineBytes = 1 << 20, temporaryFolder} = format;
  const named = [columns.text, columns.textPair, columns.label, columns.id, ...filters.map(({column}) => column)];
  const wanted = [...new Set(named.filter(name => name !== undefined))];
  await withParquet(bytes, {wanted, maxRowBytes: maxLineBytes, temporaryFolder}, async file => {
    reader.checkColumns(file.columns);
    if (reader.violations.length > 0) return;
    for await (const row of file.rows) {
      reader.read(row);
      if (reader.violations.length >= maxViolations) return;
    }
  });
}

async function* watched(
  bytes: AsyncIterable<Uint8Array>,
  see: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    see(chunk);
    yield chunk;
  }
}

function wrongRows(fileName: string, violations: FieldViolation[]): FtftError {
  const [{field, description}] = violations;
  const more = violations.length === 1 ? '' : `; ${violations.length - 1} more`;
  const rest = violations.length < maxViolations ? '' : ', and the rest was not read';
  return new FtftError('INVALID_ARGUMENT', `Cannot read ${fileName}: ${field}: ${description}${more}${rest}`, {
    reason: 'ROWS_INVALID',
    violations,
  });
}
