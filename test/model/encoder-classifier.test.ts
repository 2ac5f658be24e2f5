import assert from 'node:assert/strict';
import {test} from 'node:test';
import type {NamedTensor} from '../../src/data/types.js';
import {FtftError} from '../../src/errors.js';
import type {Classifier, ClassifierOptions} from '../../src/model/classifier.js';
import {createClassifier} from '../../src/model/encoder-classifier.js';
import {expectedParameters} from '../../src/model/parameters.js';
import {tf} from '../../src/model/tensorflow.js';
import {tinyBatch, tinyCheckpoint, tinyConfig} from './tiny-checkpoint.js';
import {weightsDigest} from './weights-digest.js';

const create = (options: Partial<ClassifierOptions> = {}) =>
  createClassifier(tinyCheckpoint(), {classNames: ['x', 'y', 'z'], seed: 5, weightDecay: 0.01, ...options});
const train = async (classifier: Classifier, steps: number[]) => {
  for (const step of steps) await classifier.trainStep(tinyBatch(), {step, learningRate: 1e-3});
  return classifier;
};

test('two steps, state, restore and two steps give the very bits of four steps', async () => {
  const whole = await train(create(), [0, 1, 2, 3]);
  const first = await train(create(), [0, 1]);
  const kept: NamedTensor[] = first.state().map(({name, shape, read}) => {
    const values = read();
    return {name, shape, read: () => values};
  });
  first.dispose();
  const second = create({seed: 5});
  second.restore(kept);
  await train(second, [2, 3]);
  assert.equal(weightsDigest(second), weightsDigest(whole));
});

test('the seed and the step decide what dropout drops', async () => {
  const digest = async (seed: number, step: number) => weightsDigest(await train(withHead(seed), [step]));
  assert.equal(await digest(1, 0), await digest(1, 0));
  assert.notEqual(await digest(1, 0), await digest(2, 0));
  const loss = async (step: number) => (await withHead(1).trainStep(tinyBatch(), {step, learningRate: 1e-3})).loss;
  assert.notEqual(await loss(0), await loss(1));
});

test('predicting is without dropout and changes nothing', async () => {
  const classifier = create();
  const before = weightsDigest(classifier);
  const logits = await classifier.predict(tinyBatch());
  assert.deepEqual(await classifier.predict(tinyBatch()), logits);
  assert.deepEqual(await create({dropout: false}).predict(tinyBatch()), logits);
  assert.equal(weightsDigest(classifier), before);
});

test('the number of tensors stays the same from step to step, and dispose frees all of them', async () => {
  const before = tf.memory().numTensors;
  const classifier = await train(create(), [0]);
  await classifier.predict(tinyBatch());
  const afterOne = tf.memory().numTensors;
  await train(classifier, [1, 2, 3, 4]);
  await classifier.predict(tinyBatch());
  weightsDigest(classifier);
  assert.equal(tf.memory().numTensors, afterOne);
  classifier.dispose();
  assert.equal(tf.memory().numTensors, before);
});

test('a step and a prediction each give the event loop a turn', async () => {
  const classifier = create();
  let turns = 0;
  setImmediate(() => turns++);
  await train(classifier, [0]);
  assert.equal(turns, 1);
  setImmediate(() => turns++);
  await classifier.predict(tinyBatch());
  assert.equal(turns, 2);
});

test('weights and state carry the names and shapes of the hub', () => {
  const classifier = create();
  const names = (tensors: {name: string; shape: number[]}[]) => tensors.map(({name, shape}) => `${name} ${shape}`);
  const expected = expectedParameters(tinyConfig, 3);
  assert.deepEqual(names(classifier.weights()), names(expected));
  const moments = ['m', 'v'].flatMap(kind => expected.map(p => ({...p, name: `adamw.${kind}.${p.name}`})));
  assert.deepEqual(names(classifier.state()), names([...expected, ...moments]));
  classifier.dispose();
});

test('config() is what transformers loads as a classifier of these classes', () => {
  const config = create({layers: 1}).config();
  assert.deepEqual(config.architectures, ['BertForSequenceClassification']);
  assert.deepEqual(config.id2label, {0: 'x', 1: 'y', 2: 'z'});
  assert.deepEqual(config.label2id, {x: 0, y: 1, z: 2});
  assert.equal(config.num_hidden_layers, 1);
  assert.equal(config.hidden_size, 8);
  assert.equal('_name_or_path' in config, false);
});

test('a state that does not fit is refused by name, and nothing is changed', () => {
  const classifier = create();
  const before = weightsDigest(classifier);
  const state = classifier.state();
  const values = new Float32Array(4);
  const wrong: [NamedTensor[], RegExp][] = [
    [state.slice(1), /must hold bert\.embeddings\.word_embeddings\.weight/],
    [[...state, {name: 'extra', shape: [4], read: () => values}], /extra/],
    [[{...state[0], shape: [50, 9]}, ...state.slice(1)], /must have shape \[50,8\], its shape is \[50,9\]/],
  ];
  for (const [tensors, message] of wrong)
    assert.throws(
      () => classifier.restore(tensors),
      (error: unknown) =>
        error instanceof FtftError &&
        error.code === 'FAILED_PRECONDITION' &&
        error.details.reason === 'CHECKPOINT_CORRUPT' &&
        message.test(error.message),
    );
  assert.equal(weightsDigest(classifier), before);
});

test('op by op there is no bfloat16, and it says so', () => {
  assert.throws(
    () => create({eager: true, precision: 'bfloat16'}),
    /^Error: Cannot train op by op in bfloat16: it exists in graphs alone$/,
  );
  create({eager: true, precision: 'float32'}).dispose();
});

/** The same weights whatever the seed, so that only dropout differs. */
function withHead(seed: number): Classifier {
  const classifier = create({seed});
  classifier.restore(create({seed: 0}).state());
  return classifier;
}
