// Classifier and splits → accuracy, macro F1, loss, calibration.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {wilson} from '../../src/intervals.js';
import {accuracy, calibrationError, countClasses, evaluate, macroF1} from '../../src/pipeline/evaluate.js';
import {fakeClassifier, smallDataset} from './fake-classifier.js';

const labels = Int32Array.of(0, 0, 0, 1, 1, 2);
const predictions = Int32Array.of(0, 0, 1, 1, 0, 0);

test('accuracy is the share of right predictions, unrounded', () => {
  assert.equal(accuracy(labels, predictions), 3 / 6);
});

test('a class counts by its labels, its predictions and both', () => {
  assert.deepEqual(countClasses(labels, predictions, 4), [
    {gold: 3, predicted: 4, correct: 2},
    {gold: 2, predicted: 2, correct: 1},
    {gold: 1, predicted: 0, correct: 0},
    {gold: 0, predicted: 0, correct: 0},
  ]);
});

test('macro F1 is the mean over the classes found in labels or predictions', () => {
  const expected = (4 / 7 + 2 / 4 + 0) / 3; // sklearn.metrics.f1_score(labels, predictions, average='macro')
  const ofAll = (numClasses: number) => macroF1(countClasses(labels, predictions, numClasses));
  assert.ok(Math.abs(ofAll(3) - expected) < 1e-15);
  assert.equal(ofAll(5), ofAll(3));
  assert.equal(macroF1(countClasses(Int32Array.of(1, 1), Int32Array.of(1, 1), 4)), 1);
});

test('the calibration error weighs the bins by their instances, and a confidence at an edge lies in the lower bin', () => {
  const error = (confidences: number[], isRight: number[]) =>
    calibrationError(Int32Array.from(isRight), new Int32Array(isRight.length).fill(1), Float64Array.from(confidences));
  assert.equal(error([1, 1], [1, 1]), 0);
  assert.equal(error([1, 1], [1, 0]), 0.5);
  // Bins (13/15, 14/15] and (14/15, 1]: |1 - 0.9| once, |2 - 2.94| / 3 over three.
  const mixed = error([0.9, 0.98, 0.98, 0.98], [1, 1, 1, 0]);
  assert.ok(Math.abs(mixed - (0.1 + 0.94) / 4) < 1e-12, String(mixed));
  // Two thirds is the upper edge of bin 9: with 0.65 it would make 0.3166 + 0.3333 of one bin, either sign in another.
  const edge = error([2 / 3, 0.65], [1, 0]);
  assert.ok(Math.abs(edge - Math.abs(1 - 2 / 3 - 0.65) / 2) < 1e-12, String(edge));
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
    evaluations.map(({loss, calibrationError: _, ...rest}) => rest),
    [
      {
        split: 'right',
        isOutOfDistribution: false,
        accuracy: 1,
        macroF1: 1,
        instanceCount: 150,
        steps: 7,
        committedEpochs: 2,
        accuracyInterval: wilson(1, 150),
        classCounts: [
          {gold: 75, predicted: 75, correct: 75},
          {gold: 75, predicted: 75, correct: 75},
        ],
      },
      {
        split: 'wrong',
        isOutOfDistribution: true,
        accuracy: 0,
        macroF1: 0,
        instanceCount: 150,
        steps: 7,
        committedEpochs: 2,
        accuracyInterval: wilson(0, 150),
        classCounts: [
          {gold: 75, predicted: 75, correct: 0},
          {gold: 75, predicted: 75, correct: 0},
        ],
      },
    ],
  );
  assert.ok(Math.abs(evaluations[0].loss - Math.log(1 + Math.exp(-2))) < 1e-12);
  assert.ok(Math.abs(evaluations[1].loss - Math.log(1 + Math.exp(2))) < 1e-12);
  // Every prediction has the confidence e / (e + 1/e).
  const confidence = 1 / (1 + Math.exp(-2));
  assert.ok(Math.abs(evaluations[0].calibrationError! - (1 - confidence)) < 1e-12);
  assert.ok(Math.abs(evaluations[1].calibrationError! - confidence) < 1e-12);
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
