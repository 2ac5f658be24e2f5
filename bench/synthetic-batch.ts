// Rows, tokens a row and vocabulary in; a batch of seeded token ids, all of them real, out.
import {randomStream} from '../src/random.js';
import type {RaggedBatch} from './workers/protocol.js';

export interface BatchShape {
  rows: number;
  /** Tokens of each row; one number where all are as long. */
  length: number | ((row: number) => number);
  vocabSize: number;
  numClasses: number;
  seed: number;
}

export function syntheticBatch({rows, length, vocabSize, numClasses, seed}: BatchShape): RaggedBatch {
  const random = randomStream(seed, 'data');
  const ids = Array.from({length: rows}, (_, row) =>
    // 0 is padding.
    Array.from({length: typeof length === 'number' ? length : length(row)}, () =>
      Math.floor(1 + random() * (vocabSize - 1)),
    ),
  );
  return {
    ids,
    secondStarts: ids.map(row => row.length),
    labels: ids.map(() => Math.floor(random() * numClasses)),
  };
}
