import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {test} from 'node:test';
import type {Checkpoint} from '../../src/data/types.js';
import {FtftError} from '../../src/errors.js';
import {createClassifier} from '../../src/model/encoder-classifier.js';
import {expectedParameters, initialValue, matchParameters} from '../../src/model/parameters.js';
import {needsShared, sharedPath} from '../support/shared.js';
import {close, goldenCheckpoint, goldenJson, goldenTensors, toBatch} from './golden-models.js';
import {tinyCheckpoint, tinyConfig} from './tiny-checkpoint.js';

for (const name of ['bert-noprefix', 'bert-pretraining'])
  test(`${name}: tensors, key lists and logits are those of transformers`, {skip: needsShared}, async () => {
    const golden = goldenJson('models', name, 'expect.json');
    const checkpoint = await goldenCheckpoint(sharedPath('golden', 'models', name));
    const {parameters, report, config} = matchParameters(checkpoint, {numClasses: 3});

    assert.deepEqual(report.ignored.toSorted(), (golden.ignored ?? []).toSorted());
    assert.deepEqual(report.newlyInitialised.toSorted(), Object.keys(golden.newly_initialised).toSorted());
    assert.deepEqual(report.used.toSorted(), Object.keys(golden.loaded_tensors).toSorted());
    for (const parameter of parameters.filter(({source}) => source)) {
      const {shape, sha256_f32} = golden.loaded_tensors[parameter.name];
      assert.deepEqual(parameter.shape, shape);
      const digest = createHash('sha256')
        .update(initialValue(parameter, config, 0))
        .digest('hex');
      assert.equal(digest, sha256_f32, parameter.name);
    }

    const head = goldenTensors('models', name, 'head.safetensors');
    const withHead = await goldenCheckpoint(checkpoint.folder, head);
    const options = {classNames: ['a', 'b', 'c'], seed: 0, weightDecay: 0};
    const classifier = createClassifier(withHead, options);
    close(await classifier.predict(toBatch(golden.inputs)), golden.logits.flat(), 2e-5, 'logits');
    classifier.dispose();
  });

test('a tensor whose shape does not fit config.json is named with both shapes', () => {
  const checkpoint = tinyCheckpoint();
  const name = 'bert.encoder.layer.0.intermediate.dense.weight';
  checkpoint.tensors.set(name, {name, shape: [31, 8], read: () => new Float32Array(31 * 8)});
  throwsInvalid(checkpoint, new RegExp(`${name} must have shape \\[16,8\\] by config.json, its shape is \\[31,8\\]`));
});

test('a checkpoint that lacks a tensor of the encoder is refused by name', () => {
  const checkpoint = tinyCheckpoint();
  checkpoint.tensors.delete('bert.encoder.layer.1.output.LayerNorm.bias');
  throwsInvalid(checkpoint, /bert\.encoder\.layer\.1\.output\.LayerNorm\.bias/);
});

test('a head for another number of classes is refused', () => {
  const checkpoint = tinyCheckpoint();
  const name = 'classifier.weight';
  checkpoint.tensors.set(name, {name, shape: [2, 8], read: () => new Float32Array(16)});
  throwsInvalid(checkpoint, /classifier\.weight must have shape \[3,8\] by the number of classes.*\[2,8\]/);
});

test('layers: k keeps the first k layers and ignores the others', () => {
  const {parameters, report, config} = matchParameters(tinyCheckpoint(), {layers: 1, numClasses: 3});
  assert.equal(config.numHiddenLayers, 1);
  assert.ok(parameters.some(({name}) => name.startsWith('bert.encoder.layer.0.')));
  assert.ok(!parameters.some(({name}) => name.startsWith('bert.encoder.layer.1.')));
  assert.equal(report.ignored.filter(name => name.startsWith('bert.encoder.layer.1.')).length, 16);
});

for (const layers of [0, 3, 1.5])
  test(`layers: ${layers} of a model of two layers is an invalid argument`, () => {
    const call = () => matchParameters(tinyCheckpoint(), {layers, numClasses: 3});
    assert.throws(call, (error: unknown) => error instanceof FtftError && error.code === 'INVALID_ARGUMENT');
  });

test('new weights are drawn by the seed alone, whatever layers and classes are asked for', () => {
  const drawn = (seed: number, layers: number, numClasses: number) => {
    const {parameters, config} = matchParameters(tinyCheckpoint(), {layers, numClasses});
    return new Map(parameters.map(p => [p.name, initialValue(p, config, seed)]));
  };
  const one = drawn(7, 2, 3);
  const other = drawn(7, 1, 4);
  assert.deepEqual(one.get('bert.pooler.dense.weight'), other.get('bert.pooler.dense.weight'));
  assert.deepEqual(one.get('classifier.weight'), other.get('classifier.weight')!.subarray(0, 24));
  assert.notDeepEqual(one.get('classifier.weight'), drawn(8, 2, 3).get('classifier.weight'));
  assert.notDeepEqual(
    one.get('classifier.weight')!.subarray(0, 24),
    one.get('bert.pooler.dense.weight')!.subarray(0, 24),
  );
});

test('new weights are N(0, initializer_range) and new biases 0', () => {
  const config = {...tinyConfig, hiddenSize: 200, numAttentionHeads: 2, initializerRange: 0.05};
  const {parameters} = matchParameters(tinyCheckpoint(config), {numClasses: 3});
  const value = (name: string) => initialValue(parameters.find(p => p.name === name)!, config, 3);
  const weight = value('bert.pooler.dense.weight');
  const mean = weight.reduce((sum, w) => sum + w, 0) / weight.length;
  const deviation = Math.sqrt(weight.reduce((sum, w) => sum + (w - mean) ** 2, 0) / weight.length);
  // Six standard errors of 40,000 draws.
  assert.ok(Math.abs(mean) < (6 * 0.05) / 200, `mean ${mean}`);
  assert.ok(Math.abs(deviation / 0.05 - 1) < 6 / Math.sqrt(80_000), `deviation ${deviation}`);
  assert.ok(value('classifier.bias').every(b => b === 0));
  assert.ok(value('bert.pooler.dense.bias').every(b => b === 0));
});

test('names and order are those of the state dict of transformers', {skip: needsShared}, async () => {
  const checkpoint = await goldenCheckpoint(sharedPath('golden', 'models', 'bert'));
  const expected = new Map(expectedParameters(checkpoint.config, 3).map(({name, shape}) => [name, shape]));
  assert.deepEqual([...expected.keys()].toSorted(), [...checkpoint.tensors.keys()].toSorted());
  for (const [name, shape] of expected) assert.deepEqual(shape, checkpoint.tensors.get(name)!.shape);
});

function throwsInvalid(checkpoint: Checkpoint, message: RegExp): void {
  assert.throws(
    () => matchParameters(checkpoint, {numClasses: 3}),
    (error: unknown) =>
      error instanceof FtftError &&
      error.code === 'FAILED_PRECONDITION' &&
      error.details.reason === 'MODEL_INVALID' &&
      message.test(error.message),
  );
}
