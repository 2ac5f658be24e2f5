// Files that a split was imported from, and which of its instances are wanted → these as lines of JSON, in the files' order.
import {createReadStream} from 'node:fs';
import {sourceLines} from '../data/source-lines.js';
import {LineError} from '../data/text-lines.js';
import {FtftError} from '../errors.js';
import {FileFormat} from '../server/gen/ftft/v1/dataset.js';
import {formatOfAll} from './import-command.js';
import {checkReadable} from './import-file.js';
import {wrongUsage} from './report-error.js';

interface Wanted {
  /** Of all instances, in order. */
  ids: string[];
  isSelected: boolean[];
  /** '' where an instance's id is its position. */
  idColumn: string;
  /** Of CSV and TSV files. */
  hasHeaderRow: boolean;
}

const formats = {
  [FileFormat.FILE_FORMAT_JSONL]: 'jsonl',
  [FileFormat.FILE_FORMAT_CSV]: 'csv',
  [FileFormat.FILE_FORMAT_TSV]: 'tsv',
  [FileFormat.FILE_FORMAT_PARQUET]: 'parquet',
} as const;

const newline = Buffer.from('\n');

/** FAILED_PRECONDITION when the files are not those of the split: other ids, or another number of rows. */
export async function originalLines(
  files: string[],
  {ids, isSelected, idColumn, hasHeaderRow}: Wanted,
): Promise<Buffer[]> {
  const format = formats[(await formatOfAll(files)) as keyof typeof formats];
  const lines: Buffer[] = [];
  let instance = 0;
  for (const file of files) {
    await checkReadable(file);
    const source = sourceLines(() => createReadStream(file), {format, hasHeaderRow, fileName: file});
    try {
      for await (const line of source) {
        const text = line.toString().trim();
        if (text === '') continue;
        // Rows that filters left out at the import are no instances.
        if (idColumn !== '' && idOf(text, idColumn) !== ids[instance]) continue;
        if (isSelected[instance]) lines.push(line, newline);
        instance++;
      }
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      throw wrongUsage(`Cannot read ${file}${error.line > 0 ? `, line ${error.line}` : ''}: ${error.message}`);
    }
  }
  if (instance === ids.length) return lines;
  throw new FtftError(
    'FAILED_PRECONDITION',
    `Cannot export the subset: --source must be the files that the split was imported from, ${Math.min(instance, ids.length)} of its ${ids.length} instances were found in them`,
    {reason: 'DATASET_CORRUPT'},
  );
}

/** As the file spells it: parsing would round long ids. */
function idOf(line: string, column: string): string | undefined {
  try {
    const record = JSON.parse(line) as Record<string, unknown>;
    if (!Object.hasOwn(record, column)) return undefined;
    const id = record[column];
    if (typeof id !== 'number' || Number.isSafeInteger(id)) return String(id);
    const key = JSON.stringify(column).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    return new RegExp(`${key}\\s*:\\s*(-?[\\d.eE+-]+)`).exec(line)?.[1];
  } catch {
    return undefined;
  }
}
