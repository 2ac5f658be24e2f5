// Small folders for tests: a temporary place that is removed, and a BERT checkpoint in the hub's layout.
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {TestContext} from 'node:test';
import {writeSafetensors} from '../../src/data/safetensors.js';
import type {NamedTensor} from '../../src/data/types.js';
import {FtftError} from '../../src/errors.js';

export const config = {
  model_type: 'bert',
  vocab_size: 12,
  hidden_size: 4,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 8,
  max_position_embeddings: 16,
};

export const vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'the', 'cat', '##s', 'σ', '##ς', '##σ', '丽'];

export const tensors: NamedTensor[] = [
  tensor(
    'embeddings.word_embeddings.weight',
    [12, 4],
    Float32Array.from({length: 48}, (_, i) => Math.fround(i / 7)),
  ),
  tensor('pooler.dense.bias', [4], new Float32Array([0, -0, Infinity, 1e-45])),
];

export function tensor(name: string, shape: number[], values: Float32Array): NamedTensor {
  return {name, shape, read: () => values};
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ftft-data-'));
  t.after(() => rm(folder, {recursive: true, force: true}));
  return folder;
}

export async function modelFolder(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  await writeFile(join(folder, 'vocab.txt'), vocabulary.map(token => `${token}\n`).join(''));
  await writeSafetensors(join(folder, 'model.safetensors'), tensors);
  return folder;
}

/** For assert.throws and assert.rejects: an FtftError of this code and reason whose message matches. */
export function ftftError(code: string, reason: string, message: RegExp): (error: unknown) => boolean {
  return error => {
    if (!(error instanceof FtftError)) throw error;
    if (error.code === code && error.details.reason === reason && message.test(error.message)) return true;
    throw new Error(
      `expected ${code}/${reason} with ${message}, got ${error.code}/${error.details.reason}: ${error.message}`,
    );
  };
}
