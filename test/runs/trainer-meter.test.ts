// What a trainer tells of its time: phases apart, and rates that make up the whole again.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {padBatch} from '../../src/data/batches.js';
import {forwardFlops, trainingFlops} from '../../src/pipeline/cost.js';
import {predictSeconds} from '../../src/pipeline/predict-cost.js';
import {MeteredClassifier} from '../../src/runs/metered-classifier.js';
import {TrainerMeter} from '../../src/runs/trainer-meter.js';
import {fakeClassifier, smallDataset} from '../pipeline/fake-classifier.js';

const shape = {numLayers: 1, hiddenSize: 4, intermediateSize: 8, embeddingSize: 4, numClasses: 2};
const dataset = smallDataset(12);
const batch = padBatch(dataset, Int32Array.of(0, 1, 2, 5));
const lengths = [1, 2, 3, 3];
const step = (seconds: number, dynamicsSeconds: number) => ({
  ...({
    kind: 'step',
    steps: 1,
    loss: 1,
    gradNorm: 1,
    learningRate: 1,
    instances: 4,
    tokens: 12,
    realTokens: 9,
  } as const),
  ...{seconds, dynamicsSeconds},
});

test('a metered classifier counts the operations of real tokens, of training and of predictions apart', async () => {
  const classifier = new MeteredClassifier(fakeClassifier(), shape);
  await classifier.trainStep(batch, {step: 0, learningRate: 0.1});
  assert.equal(classifier.flops.training, trainingFlops(shape)(lengths));
  await classifier.predict(batch);
  await classifier.predict(batch);
  assert.equal(classifier.flops.evaluation, 2 * forwardFlops(shape)(lengths));
  assert.equal(classifier.flops.lastStep, trainingFlops(shape)(lengths));
});

test('phases are apart: dynamics are taken out of the step that they are part of', async () => {
  const meter = new TrainerMeter();
  const classifier = new MeteredClassifier(fakeClassifier(), shape);
  meter.loaded(classifier, 0);
  await classifier.trainStep(batch, {step: 0, learningRate: 0.1});
  meter.step(step(0.5, 0.125), 0.5);
  meter.evaluated(0.25);
  meter.saved(2);
  meter.committed(3, 2);
  const {phases, peakMemoryBytes} = meter.spent;
  assert.equal(phases.training.ms, 375);
  assert.equal(phases.dynamics.ms, 1125, 'those of the step, and the commit without its checkpoint');
  assert.deepEqual([phases.evaluation.ms, phases.checkpoint.ms], [250, 2000]);
  assert.equal(phases.training.flops, trainingFlops(shape)(lengths));
  assert.ok(phases.loading.ms > 0 && peakMemoryBytes > 2 ** 20);
});

test('the rates of a run tell its own time, whatever its first step took', async () => {
  const meter = new TrainerMeter();
  const classifier = new MeteredClassifier(fakeClassifier(), shape);
  meter.loaded(classifier, 0);
  assert.equal(meter.rates(), undefined);
  for (const seconds of [0.02, 0.001, 0.001, 0.001]) {
    await classifier.trainStep(batch, {step: 0, learningRate: 0.1});
    meter.step(step(seconds, 0), seconds);
  }
  for (let i = 0; i < 3; i++) await classifier.predict(batch);
  meter.committed(0.004, 0.003);
  meter.committed(0.002, 0.001);
  const rates = meter.rates()!;
  const whole = process.uptime();
  assert.ok(Math.abs(rates.epochSeconds - 0.003) < 1e-9);
  const work = {
    ...{steps: 4, instances: 16, tokens: 48, realTokens: 36, trainingFlops: classifier.flops.training, wholeEpochs: 2},
    ...{predictions: 3, predictionFlops: classifier.flops.evaluation},
  };
  const told = predictSeconds(work, rates)!;
  assert.ok(Math.abs(told - whole) < 0.05, `${told} s of ${whole} s`);
});
