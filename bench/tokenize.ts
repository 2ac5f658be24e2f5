// SNLI pairs a second: our WordPiece and transformers' fast tokenizer (Rust) take turns, with the same ids.
import {createHash} from 'node:crypto';
import {loadTokenizer} from '../src/data/tokenizer.js';
import {tokenize} from '../src/pipeline/tokenize.js';
import {maxLength, modelFolder, readExamples} from './datasets.js';
import {compared, type Measured, type Measurement, measured} from './report/results.js';
import {takeTurns} from './take-turns.js';
import {startPeer, versions} from './workers/side.js';

export interface TokenizeOptions {
  rounds: number;
  threads: number;
}

/** How transformers' tokenizer is called. */
const ways = {
  transformers: "transformers' tokenizer(pairs)",
  tokenizers: 'tokenizers, encode_batch_fast',
};

export async function benchTokenize({rounds, threads}: TokenizeOptions): Promise<Measurement> {
  const measurement: Measurement = {title: 'SNLI pairs to token ids', rows: [], notes: {}, versions: {}};
  const examples = await readExamples('snli', measurement.notes);
  if (!examples) return measurement;
  const tokenizer = await loadTokenizer(modelFolder);
  const encode = () => tokenize(examples, tokenizer, {maxLength, numClasses: 3});
  const peer = await startPeer('tokenize_pairs.py', {threads});
  try {
    measurement.versions = await versions(peer);
    const pairs = examples.map(({text, textPair}) => [text, textPair]);
    await peer.ask({do: 'load', folder: modelFolder, pairs, maxLength});
    const {inputIds, offsets} = encode();
    const expected = digest(inputIds, offsets);
    const theirs = (way: string, parallel: boolean) => async () => {
      const answer = await peer.ask<{seconds: number; digest: string}>({do: 'encode', way, parallel});
      if (answer.digest !== expected) throw new Error(`${way} gives other ids than our tokenizer`);
      return [answer.seconds];
    };
    const cores = threads === 1 ? '1 thread' : `${threads} threads`;
    const seconds = await takeTurns(
      {
        ours: async () => {
          const began = performance.now();
          encode();
          return [(performance.now() - began) / 1000];
        },
        [`${ways.transformers}, 1 thread`]: theirs('transformers', false),
        [`${ways.tokenizers}, 1 thread`]: theirs('tokenizers', false),
        [`${ways.tokenizers}, ${cores}`]: theirs('tokenizers', true),
      },
      {rounds, warmUps: 2},
    );
    const [ours, ...peers] = Object.entries(seconds).map(([name, values]): Measured => {
      const side = measured(name === 'ours' ? 'ftft, 1 thread' : name, values);
      return {...side, rate: {value: examples.length / side.median, of: 'pairs'}};
    });
    measurement.rows = peers.map(side => compared(`${examples.length} pairs`, ours, side));
    measurement.notes.equality = `every id of every pair is the same on both sides, digest ${expected}`;
    return measurement;
  } finally {
    await peer.end();
  }
}

/** Of all ids and of where each pair's begin, as int32. */
export function digest(inputIds: Int32Array, offsets: Int32Array): string {
  return createHash('sha256').update(inputIds).update(offsets).digest('hex').slice(0, 16);
}
