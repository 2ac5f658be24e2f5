// Examples ↔ the file that a server keeps of a split: one JSON object a line, whole or not there at all.
import {createReadStream} from 'node:fs';
import {FtftError} from '../errors.js';
import {writeFileAtomically} from './atomic-file.js';
import {LineError, lineBlocks} from './text-lines.js';
import type {Example} from './types.js';

/** Above what an import accepts, escapes included. */
const maxLineBytes = 64 << 20;
const blockLength = 1 << 16;

/** RESOURCE_EXHAUSTED/DISK_FULL when the disk is full. */
export async function writeSplitFile(file: string, examples: Iterable<Example>): Promise<void> {
  await writeFileAtomically(file, blocks(examples));
}

/** FAILED_PRECONDITION/DATASET_CORRUPT when the file is not what writeSplitFile wrote, or has not instanceCount examples. */
export async function readSplitFile(file: string, instanceCount?: number): Promise<Example[]> {
  const examples: Example[] = [];
  try {
    for await (const {text, firstLine} of lineBlocks(createReadStream(file), maxLineBytes)) {
      if (!text.endsWith('\n')) throw corrupt(file, 'its last line is cut off');
      text
        .slice(0, -1)
        .split('\n')
        .forEach((line, i) => {
          examples.push(parseExample(file, firstLine + i, line));
        });
    }
  } catch (error) {
    throw error instanceof LineError ? corrupt(file, `line ${error.line}: ${error.message}`) : error;
  }
  if (instanceCount !== undefined && examples.length !== instanceCount)
    throw corrupt(file, `expected ${instanceCount} examples, found ${examples.length}`);
  return examples;
}

function* blocks(examples: Iterable<Example>): Generator<Uint8Array> {
  let text = '';
  for (const {uid, text: first, textPair, label} of examples) {
    text += `${JSON.stringify({uid, text: first, textPair, label})}\n`;
    if (text.length < blockLength) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
}

function parseExample(file: string, line: number, source: string): Example {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    throw corrupt(file, `line ${line} is not JSON`);
  }
  const {uid, text, textPair, label} = (value ?? {}) as Partial<Record<keyof Example, unknown>>;
  const isRight =
    typeof uid === 'string' &&
    typeof text === 'string' &&
    (textPair === undefined || typeof textPair === 'string') &&
    typeof label === 'number' &&
    Number.isInteger(label);
  if (!isRight) throw corrupt(file, `line ${line} is not an example`);
  return textPair === undefined ? {uid, text, label} : {uid, text, textPair, label};
}

function corrupt(file: string, problem: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot read the stored split ${file}: ${problem}; import it again`, {
    reason: 'DATASET_CORRUPT',
  });
}
