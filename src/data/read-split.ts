// The bytes of a labelled file (JSON Lines, CSV, TSV) → examples, whole or not at all; the first wrong rows are named by line.
import {createHash} from 'node:crypto';
import {type FieldViolation, FtftError} from '../errors.js';
import {RowReader} from './row-reader.js';
import {csvRows, jsonRows, tsvRows} from './row-readers.js';
import {LineError, lineBlocks} from './text-lines.js';
import type {Example} from './types.js';

export interface SplitFormat {
  format: 'jsonl' | 'csv' | 'tsv';
  /** Of CSV and TSV. Without one columns are named by their position from 0. */
  hasHeaderRow: boolean;
  columns: {text: string; textPair?: string; label: string; id?: string};
  /** Classes in index order. */
  classLabels: {name: string; aliases: string[]}[];
  /** For messages. */
  fileName?: string;
  /** Refuses larger files with RESOURCE_EXHAUSTED/MESSAGE_TOO_LARGE. */
  maxBytes?: number;
  /** Of one line, or of one CSV record. */
  maxLineBytes?: number;
}

export interface ReadSplit {
  examples: Example[];
  isTextPairs: boolean;
  /** In class order. */
  classCounts: number[];
  /** SHA-256, in hex, of the bytes read. */
  digest: string;
  /** What did not stop the import: empty and repeated texts. */
  warnings: string[];
}

const maxViolations = 20;

/** INVALID_ARGUMENT/ROWS_INVALID with a violation for each of the first wrong rows; INVALID_FIELD for class labels that clash. */
export async function readSplit(bytes: AsyncIterable<Uint8Array>, format: SplitFormat): Promise<ReadSplit> {
  const {maxBytes = 8 * 2 ** 30, maxLineBytes = 1 << 20, fileName = 'the file'} = format;
  const hash = createHash('sha256');
  const measured = measure(bytes, maxBytes, fileName, chunk => hash.update(chunk));
  const blocks = lineBlocks(measured, maxLineBytes);
  const readers = {jsonl: () => jsonRows(blocks), tsv: () => tsvRows(blocks), csv: () => csvRows(blocks, maxLineBytes)};
  const reader = new RowReader(format);
  try {
    for await (const row of readers[format.format]()) {
      reader.read(row);
      if (reader.violations.length >= maxViolations) break;
    }
    if (reader.numRows === 0 && reader.violations.length === 0)
      reader.violations.push({field: 'data', description: 'expected at least one row, the file holds none'});
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
    reader.violations.push({field: `data[line ${error.line}]`, description: error.message});
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

async function* measure(
  bytes: AsyncIterable<Uint8Array>,
  maxBytes: number,
  fileName: string,
  use: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > maxBytes)
      throw new FtftError(
        'RESOURCE_EXHAUSTED',
        `Cannot read ${fileName}: expected at most ${maxBytes} bytes, found more`,
        {
          reason: 'MESSAGE_TOO_LARGE',
        },
      );
    use(chunk);
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
