// Stage 5: what it trains on.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {fineTuneMain} from '../../src/pipeline/fine-tune-main.js';
import {fakeClassifier, smallDataset} from './fake-classifier.js';

const options = {
  totalSteps: 7,
  batchSize: 2,
  learningRate: 0.1,
  warmupRatio: 0,
  seed: 0,
  evaluationIntervalSteps: 7,
  evaluationSets: [],
};

test('only the selected instances are trained on, for the whole step budget', async () => {
  const classifier = fakeClassifier();
  for await (const _ of fineTuneMain(classifier, smallDataset(10), Int32Array.of(1, 4, 8), options));
  assert.equal(classifier.calls.length, 7);
  assert.deepEqual([...new Set(classifier.calls.flatMap(({instances}) => instances))].sort(), [1, 4, 8]);
});

test('an empty selection is a failed precondition', async () => {
  const training = fineTuneMain(fakeClassifier(), smallDataset(10), new Int32Array(), options);
  await assert.rejects(training.next(), {code: 'FAILED_PRECONDITION', details: {reason: 'SELECTION_EMPTY'}});
});
