// Blocks of lines → rows of cells by format: JSON Lines, CSV (RFC 4180), TSV (split at each TAB and nowhere else).
import {finished} from 'node:stream/promises';
import {CsvError, parse} from 'csv-parse';
import {type LineBlock, LineError} from './text-lines.js';

/** One record and the line that it begins in. A row of cells, or a wrong row's reason. */
export type Row = {line: number} & (
  | {cells: string[]}
  | {object: Record<string, unknown>; source: string}
  | {wrong: string}
);

export async function* jsonRows(blocks: AsyncIterable<LineBlock>): AsyncGenerator<Row> {
  for await (const {line, text} of lines(blocks)) yield parseJson(line, text);
}

export async function* tsvRows(blocks: AsyncIterable<LineBlock>): AsyncGenerator<Row> {
  for await (const {line, text} of lines(blocks)) yield {line, cells: text.split('\t')};
}

/** A record may span lines; LineError for quoting that is broken, after which nothing can be read. */
export async function* csvRows(blocks: AsyncIterable<LineBlock>, maxRecordLength: number): AsyncGenerator<Row> {
  let rows: Row[] = [];
  let last = {lines: 0, empty_lines: 0};
  const parser = parse({
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: maxRecordLength,
    record_delimiter: ['\r\n', '\n'],
    // Taken here and not from the stream, which drops what it holds when a later record is wrong.
    on_record: (cells: string[], {lines, empty_lines}) => {
      rows.push({line: last.lines + empty_lines - last.empty_lines + 1, cells});
      last = {lines, empty_lines};
      return null;
    },
  });
  let failure: unknown;
  parser.on('error', error => {
    failure = error;
  });
  parser.resume();
  try {
    for await (const {text} of blocks) {
      await new Promise<unknown>(resolve => parser.write(text, resolve));
      yield* rows;
      rows = [];
      if (failure) break;
    }
    if (!failure) await finished(parser.end()).catch(() => undefined);
    yield* rows;
  } finally {
    parser.destroy();
  }
  if (failure instanceof CsvError) {
    const line = last.lines + Number(failure.empty_lines) - last.empty_lines + 1;
    throw new LineError(
      line,
      `expected CSV quoted as in RFC 4180 in the record that begins here: ${csvReason(failure)}`,
    );
  }
  if (failure) throw failure;
}

function csvReason(error: CsvError): string {
  if (error.code === 'CSV_QUOTE_NOT_CLOSED') return 'a quote is opened and never closed';
  if (error.code === 'CSV_MAX_RECORD_SIZE') return 'the record is too long; is a quote opened and never closed?';
  if (error.code === 'INVALID_OPENING_QUOTE') return 'a quote stands inside a cell that does not begin with one';
  if (error.code === 'CSV_INVALID_CLOSING_QUOTE') return 'a closing quote is followed by more text';
  return error.code;
}

/** Lines without their ends; blank ones are passed over. */
async function* lines(blocks: AsyncIterable<LineBlock>): AsyncGenerator<{line: number; text: string}> {
  for await (const {text, firstLine} of blocks) {
    let line = firstLine;
    for (let start = 0; start < text.length; line++) {
      const newline = text.indexOf('\n', start);
      const next = newline < 0 ? text.length : newline + 1;
      const end = newline < 0 ? text.length : newline > start && text[newline - 1] === '\r' ? newline - 1 : newline;
      if (end > start) yield {line, text: text.slice(start, end)};
      start = next;
    }
  }
}

function parseJson(line: number, source: string): Row {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    // Only the place: the engine's message quotes the text, which is the user's own business, and differs between versions.
    const [, position] = /at position (\d+)/.exec(String(error)) ?? [];
    const place = position === undefined ? '' : ` at character ${position}`;
    const [, number] = /[:,[]\s*-?(NaN|Infinity)\s*[,\]}]/.exec(source) ?? [];
    if (number !== undefined) return {line, wrong: `expected one JSON object, found ${number}, which is no JSON`};
    return {line, wrong: `expected one JSON object, found malformed JSON${place}`};
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return {line, object: value as Record<string, unknown>, source};
  const found = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
  return {line, wrong: `expected one JSON object, found ${found}`};
}
