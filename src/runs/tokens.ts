// A split file and a tokenizer in, its tokenised columns out: made once, then read from a cache file.
import {createHash} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {setImmediate as nextTurn} from 'node:timers/promises';
import {writeFileAtomically} from '../data/atomic-file.js';
import type {Example, TokenizedDataset, Tokenizer} from '../data/types.js';
import {tokenize} from '../pipeline/tokenize.js';
import {decodeColumns, encodeColumns} from './columns.js';
import {readSplitFile} from './split-file.js';
import type {SplitSource} from './trainer-protocol.js';

export interface TokensOptions {
  folder: string;
  maxLength: number;
  numClasses: number;
  /** Checked between slices. */
  signal?: AbortSignal;
}

/** FAILED_PRECONDITION/DATASET_CORRUPT when the split file is not the one that was imported. */
export async function loadTokens(
  source: SplitSource,
  tokenizer: Tokenizer,
  {folder, maxLength, numClasses, signal}: TokensOptions,
): Promise<TokenizedDataset> {
  const key = [source.sha256, tokenizer.digest, maxLength].join('\n');
  const file = join(folder, `${createHash('sha256').update(key).digest('hex')}.columns`);
  const {padTokenId} = tokenizer;
  const cached = await readCached(file);
  if (cached) return {...cached, numClasses, padTokenId};

  const slices: TokenizedDataset[] = [];
  for await (const slice of slicesOf(readSplitFile(source), 2000)) {
    signal?.throwIfAborted();
    slices.push(tokenize(slice, tokenizer, {maxLength, numClasses}));
    await nextTurn();
  }
  const columns = joined(slices);
  await writeFileAtomically(file, [encodeColumns({}, columns)]);
  return {...columns, numClasses, padTokenId};
}

type Columns = Record<'inputIds' | 'offsets' | 'secondStarts' | 'labels', Int32Array>;

/** A file that is missing or damaged is made anew. */
async function readCached(file: string): Promise<Columns | undefined> {
  try {
    return decodeColumns(await readFile(file)).columns as Columns;
  } catch {
    return undefined;
  }
}

async function* slicesOf(examples: AsyncIterable<Example>, size: number): AsyncGenerator<Example[]> {
  let slice: Example[] = [];
  for await (const example of examples) {
    slice.push(example);
    if (slice.length < size) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}

function joined(slices: TokenizedDataset[]): Columns {
  const concat = (pick: (slice: TokenizedDataset) => Int32Array): Int32Array => {
    const parts = slices.map(pick);
    const whole = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let position = 0;
    for (const part of parts) {
      whole.set(part, position);
      position += part.length;
    }
    return whole;
  };
  const lengths = concat(({offsets}) => offsets.slice(1).map((end, i) => end - offsets[i]));
  const offsets = new Int32Array(lengths.length + 1);
  for (let i = 0; i < lengths.length; i++) offsets[i + 1] = offsets[i] + lengths[i];
  return {
    inputIds: concat(slice => slice.inputIds),
    offsets,
    secondStarts: concat(slice => slice.secondStarts),
    labels: concat(slice => slice.labels),
  };
}
