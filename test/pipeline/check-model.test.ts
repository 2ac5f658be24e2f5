// Model folder and use → shape, or the error that training would have met.
import assert from 'node:assert/strict';
import {copyFile, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {test} from 'node:test';
import {readConfig} from '../../src/config.js';
import {checkModel} from '../../src/pipeline/check-model.js';

const miniLm = join(readConfig(process.env).modelDir, 'minilm-l6');

test('a use that the model allows gives its shape, of the layers in use', async () => {
  const {config, shape} = await checkModel(miniLm, {layers: 3, numClasses: 2, maxLength: 512});
  assert.deepEqual(shape, {numLayers: 3, hiddenSize: 384, intermediateSize: 1536, embeddingSize: 384, numClasses: 2});
  assert.equal(config.numHiddenLayers, 6);
  assert.equal((await checkModel(miniLm, {numClasses: 2, maxLength: 8})).shape.numLayers, 6);
});

test('too many layers and too long inputs are told at once, with what the model has', async () => {
  await assert.rejects(checkModel(miniLm, {layers: 7, numClasses: 2, maxLength: 513}), {
    code: 'INVALID_ARGUMENT',
    details: {
      reason: 'INVALID_FIELD',
      violations: [
        {field: 'spec.layers', description: "must be from 1 to the model's 6 layers, current value is 7"},
        {field: 'spec.max_length', description: "must be at most the model's 512 positions, current value is 513"},
      ],
    },
  });
});

test('a folder without weights is refused', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'ftft-model-'));
  t.after(() => rm(folder, {recursive: true}));
  await copyFile(join(miniLm, 'config.json'), join(folder, 'config.json'));
  await assert.rejects(checkModel(folder, {numClasses: 2, maxLength: 8}), (error: {details: {reason: string}}) => {
    assert.equal(error.details.reason, 'MODEL_INVALID');
    return true;
  });
});
