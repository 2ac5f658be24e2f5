// A model directory with one folder that serves, local:tiny, and one for each thing that can be wrong with a folder.
import {appendFile, rm, truncate, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {openSafetensors, writeSafetensors} from '../../src/data/safetensors.js';
import {writeTinyModel} from './tiny-model.js';

export async function writeWrongModels(modelDir: string): Promise<void> {
  for (const name of ['tiny', 'no-weights', 'truncated', 'corrupt', 'other-shapes', 'no-tokenizer', 'large-tokenizer'])
    await writeTinyModel(join(modelDir, name));
  await writeTinyModel(join(modelDir, 'nan'), tensor =>
    tensor.name.includes('layer.1.output.dense.weight')
      ? {...tensor, read: () => tensor.read().fill(Number.NaN)}
      : tensor,
  );
  const weights = (name: string) => join(modelDir, name, 'model.safetensors');
  await rm(weights('no-weights'));
  await truncate(weights('truncated'), 5000);
  await writeFile(weights('corrupt'), Buffer.alloc(5000, 7));
  const wider = [...openSafetensors(weights('tiny')).values()].map(tensor =>
    tensor.name.endsWith('word_embeddings.weight')
      ? {...tensor, shape: [51, 8], read: () => new Float32Array(51 * 8)}
      : tensor,
  );
  await writeSafetensors(weights('other-shapes'), wider);
  await rm(join(modelDir, 'no-tokenizer', 'vocab.txt'));
  await appendFile(join(modelDir, 'large-tokenizer', 'vocab.txt'), 'more\n');
}
