// Training in bfloat16 stays as near to float32 as PyTorch's does: on the golden trajectory, whose float32 numbers are PyTorch's. The
// distances are those of PyTorch's autocast, made by ../golden/bf16_distance.py.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {createClassifier} from '../../src/model/encoder-classifier.js';
import {needsShared, sharedPath} from '../support/shared.js';
import {goldenCheckpoint, goldenJson, maxDifference, pTrue, toBatch} from './golden-models.js';

interface Trajectory {
  weight_decay: number;
  instances: {input_ids: number[]; token_type_ids: number[]; label: number}[];
  batches: number[][];
  steps: {lr: number; loss: number; grad_norm: number; p_true: number[]; logits: number[][]}[];
}

const golden = new URL('../golden/bf16_distance.json', import.meta.url);
const {largest} = JSON.parse(readFileSync(golden, 'utf8')) as {largest: Record<string, number>};

test('12 steps in bfloat16 are as near to float32 as PyTorch’s bfloat16 is', {skip: needsShared}, async () => {
  const {weight_decay, instances, batches, steps}: Trajectory = goldenJson('models', 'bert', 'cases.json').trajectory;
  const checkpoint = await goldenCheckpoint(sharedPath('golden', 'models', 'bert'));
  const options = {classNames: ['a', 'b', 'c'], seed: 0, weightDecay: weight_decay, dropout: false};
  const classifier = createClassifier(checkpoint, {...options, precision: 'bfloat16'});
  const distance = {loss: 0, p_true: 0, logits: 0, grad_norm: 0};
  for (const [step, expected] of steps.entries()) {
    const rows = batches[step].map(i => instances[i]);
    const batch = toBatch({
      input_ids: rows.map(row => row.input_ids),
      token_type_ids: rows.map(row => row.token_type_ids),
      attention_mask: rows.map(row => row.input_ids.map(() => 1)),
      labels: rows.map(row => row.label),
    });
    const {loss, logits, gradNorm} = await classifier.trainStep(batch, {step, learningRate: expected.lr});
    const now = {
      loss: Math.abs(loss - expected.loss),
      p_true: maxDifference(pTrue(logits, batch.labels), expected.p_true),
      logits: maxDifference(logits, expected.logits.flat()),
      grad_norm: Math.abs(Math.log(gradNorm / expected.grad_norm)),
    };
    for (const key of Object.keys(distance) as (keyof typeof distance)[])
      distance[key] = Math.max(distance[key], now[key]);
  }
  classifier.dispose();
  for (const [key, value] of Object.entries(distance)) {
    assert.ok(value <= largest[key], `${key} differs by ${value} from float32, PyTorch’s by ${largest[key]}`);
    assert.ok(value > largest[key] / 100, `${key} differs by ${value} from float32: that is no bfloat16`);
  }
});
