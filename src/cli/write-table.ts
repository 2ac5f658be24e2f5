// Columns → a CSV, Parquet or JSON Lines file, whole or not there.
import {randomUUID} from 'node:crypto';
import {createWriteStream} from 'node:fs';
import {rename, rm} from 'node:fs/promises';
import {extname} from 'node:path';
import {Readable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {parquetWriteFile} from 'hyparquet-writer';
import {wrongUsage} from './report-error.js';

export type TableFormat = 'jsonl' | 'csv' | 'parquet';

/** One value a row; a number that is not finite is a missing one. */
export interface TableColumn {
  name: string;
  type: 'text' | 'integer' | 'float' | 'boolean';
  values: ArrayLike<string> | ArrayLike<number>;
}

const rowsPerPiece = 1000;

/** By the file's ending. */
export function tableFormat(file: string, formats: readonly TableFormat[]): TableFormat {
  const ending = extname(file).slice(1).toLowerCase();
  const found = formats.find(format => format === ending);
  if (found) return found;
  throw wrongUsage(`Cannot write ${file}: its name must end in .${formats.join(', .')}`);
}

export async function writeTable(columns: TableColumn[], file: string, format: TableFormat): Promise<void> {
  await wholeFile(file, async temporary => {
    if (format === 'parquet') parquetWriteFile({filename: temporary, columnData: columns.map(parquetColumn)});
    else
      await pipeline(Readable.from(format === 'csv' ? csv(columns) : jsonLines(columns)), createWriteStream(temporary));
  });
}

/** The file appears under its name once it has been written. */
export async function wholeFile(file: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${file}.${randomUUID()}`;
  try {
    await write(temporary);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, {force: true, recursive: true});
    throw error;
  }
}

const numRows = ([{values}]: TableColumn[]): number => values.length;

function* pieces(rows: number, line: (row: number) => string): Generator<string> {
  for (let row = 0; row < rows; ) {
    const lines: string[] = [];
    for (const end = Math.min(row + rowsPerPiece, rows); row < end; row++) lines.push(line(row));
    yield lines.join('');
  }
}

function* csv(columns: TableColumn[]): Generator<string> {
  yield `${columns.map(({name}) => quoted(name)).join(',')}\n`;
  yield* pieces(numRows(columns), row => `${columns.map(column => csvCell(column, row)).join(',')}\n`);
}

function* jsonLines(columns: TableColumn[]): Generator<string> {
  const keys = columns.map(({name}) => JSON.stringify(name));
  yield* pieces(
    numRows(columns),
    row => `{${columns.map((column, i) => `${keys[i]}:${jsonValue(column, row)}`).join(',')}}\n`,
  );
}

function csvCell({type, values}: TableColumn, row: number): string {
  const value = values[row];
  if (typeof value === 'string') return quoted(value);
  return Number.isFinite(value) ? numberText(type, value) : '';
}

function jsonValue({type, values}: TableColumn, row: number): string {
  const value = values[row];
  if (typeof value === 'string') return JSON.stringify(value);
  if (type === 'boolean') return String(value === 1);
  return Number.isFinite(value) ? numberText(type, value) : 'null';
}

/** Nine digits are enough to read the same float32 back. */
export function numberText(type: TableColumn['type'], value: number): string {
  return type === 'float' ? String(Number(value.toPrecision(9))) : String(value);
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function parquetColumn({name, type, values}: TableColumn) {
  if (type === 'text')
    return {name, type: 'STRING' as const, nullable: false, data: Array.from(values as ArrayLike<string>)};
  const numbers = values as ArrayLike<number>;
  if (type === 'boolean')
    return {name, type: 'BOOLEAN' as const, nullable: false, data: Array.from(numbers, value => value === 1)};
  if (type === 'integer') return {name, type: 'INT32' as const, nullable: false, data: Int32Array.from(numbers)};
  return {name, type: 'FLOAT' as const, nullable: false, data: Float32Array.from(numbers)};
}
