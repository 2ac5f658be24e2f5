// The bytes of a file of rows (JSON Lines, CSV, TSV, Parquet; packed or not) → each row as one line of JSON with all its columns.
import {decompressed} from './decompress.js';
import {withParquet} from './parquet.js';
import {csvRows, type Row, tsvRows} from './row-readers.js';
import {LineError, lineBlocks} from './text-lines.js';

export interface SourceFormat {
  format: 'jsonl' | 'csv' | 'tsv' | 'parquet';
  /** Of CSV and TSV. Without one columns are named by their position from 0. */
  hasHeaderRow: boolean;
  /** For messages. */
  fileName: string;
}

const newline = 0x0a;
const maxBytes = 8 * 2 ** 30;
const maxLineBytes = 1 << 20;
/** No column has this name: a file that is asked for it tells its columns and gives no rows. */
const noColumn = '\0';

/** JSON Lines byte for byte, blank lines apart; of others the cells as texts, or the values. INVALID_ARGUMENT-like LineError where a row cannot be read. */
export async function* sourceLines(
  bytes: () => AsyncIterable<Uint8Array>,
  {format, hasHeaderRow, fileName}: SourceFormat,
): AsyncGenerator<Buffer> {
  const unpacked = () => decompressed(bytes(), {fileName, maxBytes});
  if (format === 'jsonl') yield* jsonLines(unpacked());
  else if (format === 'parquet') yield* parquetLines(unpacked);
  else {
    const blocks = lineBlocks(unpacked(), maxLineBytes);
    yield* cellLines(format === 'csv' ? csvRows(blocks, maxLineBytes) : tsvRows(blocks), hasHeaderRow);
  }
}

async function* jsonLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let pending: Uint8Array[] = [];
  for await (const chunk of bytes) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      yield Buffer.concat([...pending, chunk.subarray(start, end)]);
      pending = [];
      start = end + 1;
    }
    // A copy: the sender may use the chunk's memory again.
    pending.push(Uint8Array.prototype.slice.call(chunk, start));
  }
  yield Buffer.concat(pending);
}

async function* cellLines(rows: AsyncIterable<Row>, hasHeaderRow: boolean): AsyncGenerator<Buffer> {
  let names: string[] | undefined;
  for await (const row of rows) {
    if (!('cells' in row)) continue;
    const {cells, line} = row;
    if (names === undefined) {
      names = hasHeaderRow ? cells : cells.map((_, position) => String(position));
      if (hasHeaderRow) continue;
    }
    if (cells.length !== names.length)
      throw new LineError(line, `expected ${names.length} cells, found ${cells.length}`);
    // Put together and not by JSON.stringify of an object, which moves names that are numbers to the front.
    const columns = names.map((name, i) => `${JSON.stringify(name)}: ${JSON.stringify(cells[i])}`);
    yield Buffer.from(`{${columns.join(', ')}}`);
  }
}

async function* parquetLines(bytes: () => AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let columns: string[] = [];
  await withParquet(bytes(), {wanted: [noColumn], maxRowBytes: maxLineBytes}, async file => {
    columns = file.columns;
  });
  const lines: Buffer[] = [];
  await withParquet(bytes(), {wanted: columns, maxRowBytes: maxLineBytes}, async ({rows}) => {
    for await (const row of rows) if ('source' in row) lines.push(Buffer.from(row.source));
  });
  yield* lines;
}
