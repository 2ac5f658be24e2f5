// A folder for a model directory: a random BERT of two small layers, as the hub lays one out. It trains in milliseconds a step.
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {saveModelFolder} from '../../src/data/checkpoint.js';
import type {NamedTensor} from '../../src/data/types.js';
import {tinyCheckpoint, tinyConfig} from '../model/tiny-checkpoint.js';

const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
const words = ['cat', 'dog', 'is', 'not', 'good', 'bad', 'the', 'very'];

/** change: what is done to each tensor before it is written. */
export async function writeTinyModel(
  folder: string,
  change: (tensor: NamedTensor) => NamedTensor = tensor => tensor,
): Promise<void> {
  const vocabulary = [...special, ...words];
  while (vocabulary.length < tinyConfig.vocabSize) vocabulary.push(`[unused${vocabulary.length}]`);
  await mkdir(folder, {recursive: true});
  await writeFile(join(folder, 'vocab.txt'), `${vocabulary.join('\n')}\n`);
  await saveModelFolder(folder, {
    config: {
      ...tinyConfig.raw,
      vocab_size: tinyConfig.vocabSize,
      num_attention_heads: tinyConfig.numAttentionHeads,
      intermediate_size: tinyConfig.intermediateSize,
      max_position_embeddings: tinyConfig.maxPositionEmbeddings,
    },
    tensors: [...tinyCheckpoint().tensors.values()].map(change),
    tokenizerFolder: folder,
  });
}

/** Texts that this model's vocabulary knows, as JSON Lines with uid, text and label. */
export function tinyLines(count: number): string[] {
  return Array.from({length: count}, (_, i) => {
    const animal = i % 2 === 0 ? 'cat' : 'dog';
    const text = `the ${animal} is ${i % 3 === 0 ? 'not' : 'very'} ${i % 5 === 0 ? 'good' : 'bad'}`;
    return JSON.stringify({uid: `u${i}`, text, label: animal});
  });
}
