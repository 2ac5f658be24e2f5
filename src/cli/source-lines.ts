// JSON Lines files that a split was imported from, and which of its instances are wanted → their lines, byte for byte.
import {createReadStream} from 'node:fs';
import {createGunzip} from 'node:zlib';
import {FtftError} from '../errors.js';

interface Wanted {
  /** Of all instances, in order. */
  ids: string[];
  isSelected: boolean[];
  /** '' where an instance's id is its position. */
  idColumn: string;
}

const newline = Buffer.from('\n');

/** FAILED_PRECONDITION when the files are not those of the split: other ids, or another number of lines. */
export async function originalLines(files: string[], {ids, isSelected, idColumn}: Wanted): Promise<Buffer[]> {
  const lines: Buffer[] = [];
  let instance = 0;
  for (const file of files)
    for await (const line of linesOf(file)) {
      const text = line.toString().trim();
      if (text === '') continue;
      // Rows that filters left out at the import are no instances.
      if (idColumn !== '' && idOf(text, idColumn) !== ids[instance]) continue;
      if (isSelected[instance]) lines.push(line, newline);
      instance++;
    }
  if (instance === ids.length) return lines;
  throw new FtftError(
    'FAILED_PRECONDITION',
    `Cannot export the subset: --source must be the files that the split was imported from, ${Math.min(instance, ids.length)} of its ${ids.length} instances were found in them`,
    {reason: 'DATASET_CORRUPT'},
  );
}

async function* linesOf(file: string): AsyncGenerator<Buffer> {
  const stream = createReadStream(file);
  const bytes = file.endsWith('.gz') ? stream.pipe(createGunzip()) : stream;
  // An error of the file is one of what it is piped into too.
  stream.once('error', error => bytes.destroy(error));
  let pending: Buffer[] = [];
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      yield Buffer.concat([...pending, chunk.subarray(start, end)]);
      pending = [];
      start = end + 1;
    }
    pending.push(chunk.subarray(start));
  }
  yield Buffer.concat(pending);
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
