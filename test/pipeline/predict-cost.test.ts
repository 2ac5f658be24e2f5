// Lengths and rates → what a training takes, beside the training loop that does it.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {textLengths} from '../../src/data/batches.js';
import type {Batch} from '../../src/data/types.js';
import {type EncoderShape, forwardFlops, trainingFlops} from '../../src/pipeline/cost.js';
import {fineTune} from '../../src/pipeline/fine-tune.js';
import {planWork, predictSeconds, RateFit, type Rates, type WorkPlan} from '../../src/pipeline/predict-cost.js';
import {numEvaluations} from '../../src/pipeline/schedule.js';
import {fakeClassifier, smallDataset} from './fake-classifier.js';

const shape: EncoderShape = {numLayers: 2, hiddenSize: 8, intermediateSize: 16, embeddingSize: 8, numClasses: 2};
const dataset = smallDataset(50);
const sets = [smallDataset(70), smallDataset(10)];
const lengthsOf = ({attentionMask, batchSize, length}: Batch) =>
  Array.from({length: batchSize}, (_, b) =>
    attentionMask.subarray(b * length, (b + 1) * length).reduce((a, x) => a + x),
  );

test('the work that is planned is the work that training does', async () => {
  const instances = Int32Array.from({length: 33}, (_, i) => i + 5);
  const how = {batchSize: 8, totalSteps: 13, seed: 3, evaluationIntervalSteps: 4};
  const work = planWork({
    ...{shape, lengths: textLengths(dataset), instances, ...how},
    ...{evaluationSets: sets.map(textLengths), numRounds: numEvaluations(13, 4)},
  });

  const classifier = fakeClassifier();
  const {trainStep, predict} = classifier;
  let [trained, predicted, predictions] = [0, 0, 0];
  classifier.trainStep = (batch, at) => {
    trained += trainingFlops(shape)(lengthsOf(batch));
    return trainStep(batch, at);
  };
  classifier.predict = batch => {
    predictions++;
    predicted += forwardFlops(shape)(lengthsOf(batch));
    return predict(batch);
  };
  const evaluationSets = sets.map((set, i) => ({split: `${i}`, isOutOfDistribution: false, dataset: set}));
  const options = {...how, learningRate: 0.1, warmupRatio: 0, evaluationSets};
  const done = {steps: 0, instances: 0, realTokens: 0, epochs: 0};
  let tokensOfRest = 0;
  for await (const event of fineTune(classifier, dataset, instances, options)) {
    if (event.kind === 'epoch') done.epochs++;
    if (event.kind !== 'step') continue;
    done.steps++;
    done.instances += event.instances;
    done.realTokens += event.realTokens;
    if (event.steps > 10 || event.steps <= 5) tokensOfRest += (event.steps <= 5 ? 2 : 1) * event.tokens;
  }
  assert.deepEqual([work.steps, work.instances, work.realTokens], [done.steps, done.instances, done.realTokens]);
  assert.equal(work.tokens, tokensOfRest, 'two whole epochs padded as the first, and the rest as it is');
  assert.deepEqual([work.trainingFlops, work.predictionFlops], [trained, predicted]);
  assert.deepEqual([work.predictions, work.wholeEpochs], [predictions, done.epochs]);
});

test('a budget shorter than an epoch is counted to its end, one of whole epochs without a rest', () => {
  const plan: WorkPlan = {
    ...{shape, lengths: Int32Array.of(3, 4, 5, 6), instances: Int32Array.of(0, 1, 2, 3), batchSize: 2, seed: 0},
    ...{evaluationSets: [], numRounds: 0, totalSteps: 1},
  };
  assert.deepEqual([planWork(plan).instances, planWork(plan).wholeEpochs], [2, 0]);
  const whole = planWork({...plan, totalSteps: 6});
  assert.deepEqual([whole.instances, whole.realTokens, whole.wholeEpochs], [12, 54, 3]);
});

const rates: Rates = {
  step: {each: 0.5, perFlop: 0.001},
  prediction: {each: 0.25, perFlop: 0.0001},
  epochSeconds: 2,
  onceSeconds: 7,
};
const work = {
  ...{steps: 10, instances: 0, tokens: 0, realTokens: 0, trainingFlops: 3000, wholeEpochs: 3},
  ...{predictions: 4, predictionFlops: 5000},
};

test('seconds are those of the steps, the predictions, the epochs and what happens once', () => {
  assert.equal(predictSeconds(work, rates), 7 + 10 * 0.5 + 3 + 4 * 0.25 + 0.5 + 3 * 2);
});

test('what no rate is known of stays unknown', () => {
  const {prediction: _, ...untold} = rates;
  assert.equal(predictSeconds(work, untold), undefined);
  assert.equal(predictSeconds({...work, predictions: 0}, untold), 7 + 5 + 3 + 6);
});

test('a rate is the line through what was measured', () => {
  const fit = new RateFit();
  assert.equal(fit.rate, undefined);
  for (const flops of [100, 200, 400]) fit.add(flops, 0.5 + 0.01 * flops);
  assert.ok(Math.abs(fit.rate!.each - 0.5) < 1e-9 && Math.abs(fit.rate!.perFlop - 0.01) < 1e-9);
});

test('the line passes through the mean of what was measured, whatever the noise', () => {
  const of = (points: [number, number][]) => {
    const fit = new RateFit();
    for (const [flops, seconds] of points) fit.add(flops, seconds);
    return fit.rate!;
  };
  // Falling, and rising more than in proportion: clamped to a constant and to a proportion.
  assert.deepEqual(
    of([
      [100, 3],
      [300, 1],
    ]),
    {each: 2, perFlop: 0},
  );
  const steep = of([
    [100, 1],
    [300, 9],
  ]);
  assert.ok(Math.abs(steep.each) < 1e-12 && Math.abs(steep.perFlop - 10 / 400) < 1e-12);
  // Batches of one size say nothing of the slope.
  const same = of([
    [100, 1],
    [100, 3],
  ]);
  assert.deepEqual(same, {each: 0, perFlop: 0.02});
});
