// Classifier and splits → accuracy, macro F1, loss.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {accuracy, evaluate, macroF1} from '../../src/pipeline/evaluate.js';
import {fakeClassifier, smallDataset} from './fake-classifier.js';

const labels = Int32Array.of(0, 0, 0, 1, 1, 2);
const predictions = Int32Array.of(0, 0, 1, 1, 0, 0);

test('accuracy is the share of right predictions, unrounded', () => {
  assert.equal(accuracy(labels, predictions), 3 / 6);
});

test('macro F1 is the mean over the classes found in labels or predictions', () => {
  const expected = (4 / 7 + 2 / 4 + 0) / 3; // sklearn.metrics.f1_score(labels, predictions, average='macro')
  assert.ok(Math.abs(macroF1(labels, predictions, 3) - expected) < 1e-15);
  assert.equal(macroF1(labels, predictions, 5), macroF1(labels, predictions, 3));
  assert.equal(macroF1(Int32Array.of(1, 1), Int32Array.of(1, 1), 4), 1);
});

test('every set is evaluated in order, each prediction at its own instance', async () => {
  const classifier = fakeClassifier();
  classifier.restore([{name: 'weights', shape: [8, 2], read: () => Float32Array.of(0, 0, 1, -1, -1, 1)}]);
  const dataset = smallDataset(150);
  const flipped = {...dataset, labels: dataset.labels.map(label => 1 - label)};
  const sets = [
    {split: 'right', isOutOfDistribution: false, dataset},
    {split: 'wrong', isOutOfDistribution: true, dataset: flipped},
  ];
  const evaluations = await evaluate(classifier, sets, {steps: 7, committedEpochs: 2});
  assert.deepEqual(
    evaluations.map(({loss, ...rest}) => rest),
    [
      {
        split: 'right',
        isOutOfDistribution: false,
        accuracy: 1,
        macroF1: 1,
        instanceCount: 150,
        steps: 7,
        committedEpochs: 2,
      },
      {
        split: 'wrong',
        isOutOfDistribution: true,
        accuracy: 0,
        macroF1: 0,
        instanceCount: 150,
        steps: 7,
        committedEpochs: 2,
      },
    ],
  );
  assert.ok(Math.abs(evaluations[0].loss - Math.log(1 + Math.exp(-2))) < 1e-12);
  assert.ok(Math.abs(evaluations[1].loss - Math.log(1 + Math.exp(2))) < 1e-12);
});

test('an aborted signal ends an evaluation before its next batch', async () => {
  const abort = new AbortController();
  const classifier = fakeClassifier();
  let numBatches = 0;
  const predict = classifier.predict;
  classifier.predict = batch => {
    numBatches++;
    abort.abort(new Error('enough'));
    return predict(batch);
  };
  const sets = [{split: 'test', isOutOfDistribution: false, dataset: smallDataset(150)}];
  await assert.rejects(evaluate(classifier, sets, {steps: 0, committedEpochs: 0, signal: abort.signal}), /enough/);
  assert.equal(numBatches, 1);
});
