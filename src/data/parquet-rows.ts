// Columns of a Parquet file → one JSON object a row, in pieces of text. Runs where a hostile file can do no harm: in parquet-child.ts.
import {brotliDecompressSync, gunzipSync} from 'node:zlib';
import {decompress as unzstd} from 'fzstd';
import {type AsyncBuffer, type Compressors, type FileMetaData, parquetRead} from 'hyparquet';
import {checkPages, flatColumns, ParquetError, readFooter} from './parquet-pages.js';

const rowsPerPiece = 500;
const utf8 = new TextDecoder('utf-8', {fatal: true});

const compressors: Compressors = {
  GZIP: (input, outputLength) => gunzipSync(input, {maxOutputLength: outputLength}),
  BROTLI: (input, outputLength) => brotliDecompressSync(input, {maxOutputLength: outputLength}),
  ZSTD: (input, outputLength) => unzstd(input, new Uint8Array(outputLength)),
};

/** Names of the file's columns first, a JSON list; rows only where all that are wanted are among them, once, with those of the others
 * that are. */
export async function* parquetLines(
  file: AsyncBuffer,
  wanted: string[],
  others: string[] = [],
): AsyncGenerator<string> {
  const metadata = await readFooter(file);
  const names = flatColumns(metadata);
  yield `${JSON.stringify(names)}\n`;
  const isThere = (name: string) => names.indexOf(name) >= 0 && names.indexOf(name) === names.lastIndexOf(name);
  if (!wanted.every(isThere)) return;
  const columns = [...wanted, ...others.filter(isThere)];
  let start = 0;
  for (const [group, {num_rows: rows}] of metadata.row_groups.entries()) {
    await checkPages(file, metadata, group, columns);
    yield* rowLines(await readGroup(file, metadata, columns, start, Number(rows)), columns, Number(rows));
    start += Number(rows);
  }
}

/** Values of each column, by row. */
async function readGroup(
  file: AsyncBuffer,
  metadata: FileMetaData,
  columns: string[],
  rowStart: number,
  rows: number,
): Promise<Map<string, ArrayLike<unknown>[]>> {
  const values = new Map<string, ArrayLike<unknown>[]>(columns.map(name => [name, []]));
  const parsers = {stringFromBytes};
  const onChunk = ({columnName, columnData}: {columnName: string; columnData: ArrayLike<unknown>}) =>
    values.get(columnName)!.push(columnData);
  if (rows > 0)
    await parquetRead({file, metadata, columns, rowStart, rowEnd: rowStart + rows, compressors, parsers, onChunk});
  return values;
}

function stringFromBytes(bytes: Uint8Array | undefined): string | undefined {
  if (!bytes) return undefined;
  try {
    return utf8.decode(bytes);
  } catch {
    throw new ParquetError('a text that is not UTF-8');
  }
}

function* rowLines(values: Map<string, ArrayLike<unknown>[]>, columns: string[], rows: number): Generator<string> {
  const cursors = columns.map(name => cursor(values.get(name)!));
  const keys = columns.map(name => JSON.stringify(name));
  for (let row = 0; row < rows; ) {
    const lines: string[] = [];
    for (const end = Math.min(row + rowsPerPiece, rows); row < end; row++)
      lines.push(`{${keys.map((key, i) => `${key}:${json(cursors[i]())}`).join(',')}}\n`);
    yield lines.join('');
  }
}

/** The values of several arrays, one after the other. */
function cursor(chunks: ArrayLike<unknown>[]): () => unknown {
  let chunk = 0;
  let at = 0;
  return () => {
    while (chunk < chunks.length && at >= chunks[chunk].length) [chunk, at] = [chunk + 1, 0];
    if (chunk >= chunks.length) throw new ParquetError('fewer values than rows');
    return chunks[chunk][at++];
  };
}

/** Whole numbers as they are, however long. */
function json(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  return JSON.stringify(value ?? null) ?? 'null';
}
