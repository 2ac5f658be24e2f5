// Examples ↔ a split's file: one JSON array [uid, label, text, textPair?] a line, named by the SHA-256 of its bytes.
import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {lineBlocks} from '../data/text-lines.js';
import type {Example} from '../data/types.js';
import {FtftError} from '../errors.js';
import type {Damaged} from './artifacts.js';

const linesPerChunk = 1000;
/** JSON escapes a character of the import's longest line to six at most. */
const maxLineBytes = 8 << 20;

/** The file's bytes in chunks, so that the event loop turns between them. */
export function* splitFileBytes(examples: Example[]): Generator<Buffer> {
  for (let first = 0; first < examples.length; first += linesPerChunk) {
    const lines = examples.slice(first, first + linesPerChunk).map(lineOf);
    yield Buffer.from(lines.join(''));
  }
}

/** FAILED_PRECONDITION/DATASET_CORRUPT, after the last example, when the bytes are not those that were written. */
export async function* readSplitFile({file, sha256}: {file: string; sha256: string}): AsyncGenerator<Example> {
  const hash = createHash('sha256');
  try {
    for await (const {text} of lineBlocks(hashed(createReadStream(file), hash), maxLineBytes))
      for (const line of text.split('\n')) if (line !== '') yield parsed(line);
  } catch (error) {
    throw damagedSplit(file, error instanceof Error ? error.message : String(error));
  }
  const found = hash.digest('hex');
  if (found !== sha256) throw damagedSplit(file, `its SHA-256 is ${found}`);
}

async function* hashed(
  bytes: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    hash.update(chunk);
    yield chunk;
  }
}

function lineOf({uid, label, text, textPair}: Example): string {
  return `${JSON.stringify(textPair === undefined ? [uid, label, text] : [uid, label, text, textPair])}\n`;
}

function parsed(line: string): Example {
  const [uid, label, text, textPair] = JSON.parse(line) as [string, number, string, string | undefined];
  return {uid, label, text, textPair};
}

export const damagedSplit: Damaged = (file, found) => {
  return new FtftError(
    'FAILED_PRECONDITION',
    `Cannot read split file ${file}: it must be as it was imported, but ${found}; import the split anew under another name`,
    {reason: 'DATASET_CORRUPT'},
  );
};
