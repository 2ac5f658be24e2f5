// A split's file → its gold classes, from a column beside it that is written when they are first asked for: the texts are most of a split.
import {createHash} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import {writeFileAtomically} from '../data/atomic-file.js';
import {bytesOf, decodeColumns, encodeColumns} from './columns.js';
import {readSplitFile} from './split-file.js';

const digestOf = (labels: Int32Array): string => createHash('sha256').update(bytesOf(labels)).digest('hex');

/** [n] in the order of the split. FAILED_PRECONDITION/DATASET_CORRUPT as of readSplitFile. */
export async function splitLabels(split: {file: string; sha256: string}): Promise<Int32Array> {
  const beside = `${split.file}.labels`;
  const kept = await readKept(beside, split.sha256);
  if (kept) return kept;
  const read: number[] = [];
  for await (const {label} of readSplitFile(split)) read.push(label);
  const labels = Int32Array.from(read);
  const bytes = encodeColumns({split: split.sha256, digest: digestOf(labels)}, {labels});
  // A full disk only makes the next reader slow.
  await writeFileAtomically(beside, [bytes]).catch(() => {});
  return labels;
}

/** Undefined where there is none, or none that is whole and of this split. */
async function readKept(file: string, sha256: string): Promise<Int32Array | undefined> {
  try {
    const {header, columns} = decodeColumns(await readFile(file));
    const {split, digest} = header as {split: string; digest: string};
    const labels = columns.labels as Int32Array;
    return split === sha256 && digestOf(labels) === digest ? labels : undefined;
  } catch {
    return undefined;
  }
}
