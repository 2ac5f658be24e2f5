// A model folder as a run leaves it → the folder that a TensorFlow server is given, called as it would be.
import assert from 'node:assert/strict';
import {mkdtemp, readdir, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {tf} from '../../src/model/tensorflow.js';
import {exportModel} from '../../src/pipeline/export-model.js';
import {loadClassifier} from '../../src/pipeline/load-classifier.js';
import {close} from '../model/golden-models.js';
import {tinyBatch} from '../model/tiny-checkpoint.js';
import {writeTinyModel} from '../support/tiny-model.js';
import {trainedClasses, writeTrainedModel} from '../support/trained-model.js';

let folder: string;
let model: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ftft-export-'));
  model = join(folder, 'model');
  await writeTrainedModel(model);
});
after(() => rm(folder, {recursive: true}));

test('a trained folder becomes a SavedModel with its tokenizer and the names of its classes', async () => {
  const exported = join(folder, 'serving', '1');
  await exportModel(model, exported);
  assert.deepEqual((await readdir(exported, {recursive: true})).sort(), [
    'assets.extra',
    'assets.extra/config.json',
    'assets.extra/vocab.txt',
    'saved_model.pb',
    'variables',
    'variables/variables.data-00000-of-00001',
    'variables/variables.index',
  ]);
  const {id2label} = JSON.parse(await readFile(join(exported, 'assets.extra', 'config.json'), 'utf8'));
  assert.deepEqual(Object.values(id2label), trainedClasses);

  const batch = tinyBatch();
  const classifier = await loadClassifier(model, {classNames: trainedClasses, seed: 0, weightDecay: 0});
  const expected = await classifier.predict(batch);
  classifier.dispose();
  const served = await tf.node.loadSavedModel(exported);
  tf.tidy(() => {
    const grid = (values: Int32Array) => tf.tensor2d(values, [batch.batchSize, batch.length], 'int32');
    const columns = {
      input_ids: grid(batch.inputIds),
      attention_mask: grid(batch.attentionMask),
      token_type_ids: grid(batch.tokenTypeIds),
    };
    const {logits} = served.predict(columns) as Record<string, ReturnType<typeof grid>>;
    close(logits.dataSync(), expected, 1e-5, 'logits');
  });
  served.dispose();
});

test('a folder that has not been trained, and one that is not there, are refused by name', async () => {
  const untrained = join(folder, 'untrained');
  await writeTinyModel(untrained);
  const refused = (from: string, reason: string, message: RegExp) =>
    assert.rejects(
      exportModel(from, join(folder, 'nothing')),
      (error: {details?: {reason: string}; message: string}) => {
        assert.equal(error.details?.reason, reason);
        assert.match(error.message, message);
        return true;
      },
    );
  await refused(untrained, 'MODEL_INVALID', /untrained: it must hold classifier\.bias of its head/);
  await refused(join(folder, 'missing'), 'MODEL_NOT_FOUND', /there is no such folder/);
});
