// Stage 2 with the real model: the training trajectory and the data map that transformers and PyTorch give.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {padBatch} from '../../src/data/batches.js';
import type {TokenizedDataset} from '../../src/data/types.js';
import {buildDataMap} from '../../src/pipeline/build-data-map.js';
import {loadClassifier} from '../../src/pipeline/load-classifier.js';
import {selectSubset} from '../../src/pipeline/select-subset.js';
import {trainReference} from '../../src/pipeline/train-reference.js';
import type {TrainingOptions} from '../../src/pipeline/types.js';
import {needsShared, sharedPath} from '../support/shared.js';
import {close} from './close.js';
import {fakeClassifier, smallDataset} from './fake-classifier.js';

interface Golden {
  batch_size: number;
  epochs: number;
  lr: number;
  weight_decay: number;
  total_steps: number;
  q: number;
  instances: {label: number; input_ids: number[]; token_type_ids: number[]}[];
  order: number[][];
  loss: number[];
  lr_of_step: number[];
  grad_norm: number[];
  p_true: number[][];
  logits: number[][][];
  expected: {
    confidence: number[];
    variability_ddof1: number[];
    variability_ddof0: number[];
    threshold: number;
    ambiguous: number[];
  };
}

test('a reference run gives the losses, dynamics and data map of transformers', {skip: needsShared}, async () => {
  const golden: Golden = JSON.parse(readFileSync(sharedPath('golden', 'datamap', 'cases.json'), 'utf8'));
  const dataset = columns(golden);
  const classifier = await loadClassifier(sharedPath('golden', 'models', 'bert'), {
    classNames: ['entailment', 'neutral', 'contradiction'],
    seed: 0,
    weightDecay: golden.weight_decay,
    dropout: false,
  });
  const batchesOf = (epoch: number) =>
    Array.from({length: golden.order[epoch].length / golden.batch_size}, (_, b) =>
      padBatch(dataset, Int32Array.from(golden.order[epoch]).slice(8 * b, 8 * b + 8)),
    );
  const training = trainReference(classifier, dataset, options(golden), batchesOf);
  const steps = [];
  let next = await training.next();
  for (; !next.done; next = await training.next()) if (next.value.kind === 'step') steps.push(next.value);
  classifier.dispose();

  close(
    steps.map(step => step.learningRate),
    golden.lr_of_step,
    1e-12,
    'learning rate',
  );
  close(
    steps.map(step => step.loss),
    golden.loss,
    1e-4,
    'loss',
  );
  close(
    steps.map((step, i) => step.gradNorm / golden.grad_norm[i]),
    new Array(32).fill(1),
    1e-4,
    'gradient norm ratio',
  );
  assert.equal(next.value.epochs.length, golden.epochs);
  for (const [e, {pTrue, logits}] of next.value.epochs.entries()) {
    close(pTrue, golden.p_true[e], 1e-4, `p_true of epoch ${e}, instance`);
    close(logits, golden.logits[e].flat(), 5e-4, `logit of epoch ${e}`);
  }
  const {expected} = golden;
  const map = buildDataMap(next.value);
  close(map.confidence, expected.confidence, 1e-4, 'confidence');
  close(map.variability, expected.variability_ddof1, 1e-4, 'variability');
  const population = buildDataMap(next.value, {variabilityEstimator: 'population'});
  close(population.variability, expected.variability_ddof0, 1e-4, 'population deviation');
  const criterion = {region: 'ambiguous'} as const;
  const subset = selectSubset(map, {criterion, fraction: golden.q, rule: 'upstream-quantile', seed: 0});
  assert.deepEqual([...subset.instances], expected.ambiguous);
  assert.ok(Math.abs(subset.threshold! - expected.threshold) <= 1e-4);
});

test('a reference of fewer than two whole epochs is refused before its first step', async () => {
  const classifier = fakeClassifier();
  const golden = {batch_size: 4, lr: 0.1, total_steps: 5};
  await assert.rejects(trainReference(classifier, smallDataset(10), options(golden)).next(), {
    code: 'INVALID_ARGUMENT',
    message: /at least 2, since variability needs two, current value is 1/,
  });
  assert.equal(classifier.calls.length, 0);
});

const options = ({
  batch_size,
  lr,
  total_steps,
}: Pick<Golden, 'batch_size' | 'lr' | 'total_steps'>): TrainingOptions => ({
  totalSteps: total_steps,
  batchSize: batch_size,
  learningRate: lr,
  warmupRatio: 0.1,
  seed: 0,
  evaluationIntervalSteps: total_steps,
  evaluationSets: [],
});

function columns({instances}: Golden): TokenizedDataset {
  const offsets = [0];
  for (const {input_ids} of instances) offsets.push(offsets.at(-1)! + input_ids.length);
  const secondStart = ({token_type_ids}: {token_type_ids: number[]}) =>
    token_type_ids.includes(1) ? token_type_ids.indexOf(1) : token_type_ids.length;
  return {
    inputIds: Int32Array.from(instances.flatMap(({input_ids}) => input_ids)),
    offsets: Int32Array.from(offsets),
    secondStarts: Int32Array.from(instances, secondStart),
    labels: Int32Array.from(instances, ({label}) => label),
    numClasses: 3,
    padTokenId: 0,
  };
}
