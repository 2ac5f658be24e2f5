// The real MiniLM against transformers; numbers and tolerances: ../shared/golden/real, README.md there.
import assert from 'node:assert/strict';
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {before, describe, test} from 'node:test';
import {readConfig} from '../../src/config.js';
import type {Checkpoint} from '../../src/data/types.js';
import {composedLayers} from '../../src/model/composed-layers.js';
import {createClassifier} from '../../src/model/encoder-classifier.js';
import {needsShared} from '../support/shared.js';
import {close, goldenCheckpoint, goldenJson, goldenTensors, pTrue, toBatch} from './golden-models.js';
import {hiddenStatesOf, lossGradientsOf, testModel} from './test-model.js';
import {weightsDigest} from './weights-digest.js';

const folder = join(readConfig(process.env).modelDir, 'minilm-l6');
const needsMiniLm = existsSync(join(folder, 'model.safetensors'))
  ? false
  : `needs the model in ${folder}, which node scripts/setup.mjs fetches`;

describe('the real MiniLM', {skip: needsShared || needsMiniLm}, () => {
  let checkpoint: Checkpoint;
  // biome-ignore lint/suspicious/noExplicitAny: the kit's JSON, whose shape its README describes
  let golden: any;

  before(async () => {
    golden = goldenJson('real', 'minilm.json');
    checkpoint = await goldenCheckpoint(folder, goldenTensors('real', 'minilm_head.safetensors'));
  });

  const batch = () =>
    toBatch({
      input_ids: golden.sentences.map((s: {input_ids: number[]}) => s.input_ids),
      token_type_ids: golden.sentences.map((s: {token_type_ids: number[]}) => s.token_type_ids),
      attention_mask: golden.sentences.map((s: {attention_mask: number[]}) => s.attention_mask),
      labels: golden.labels,
    });
  const classifier = (dropout: boolean, layers?: number) =>
    createClassifier(checkpoint, {classNames: ['a', 'b', 'c'], seed: 0, weightDecay: 0, dropout, layers});

  test('has the logits and the last hidden state of transformers', async () => {
    close(await classifier(false).predict(batch()), golden.expected.logits.flat(), 1e-4, 'logits');
    const expected = goldenTensors('real', 'minilm_expected.safetensors');
    const last = hiddenStatesOf(testModel(checkpoint), batch(), composedLayers()).at(-1)!;
    const first = last.subarray(0, golden.sentences[0].input_ids.length * 384);
    close(first, expected.get('last_hidden_state_0')!.read(), 1e-4, 'last hidden state');
  });

  test('has the gradient norm of transformers for every parameter', () => {
    const norms: Record<string, number> = golden.expected.grad_norm_of_each_parameter;
    const {gradients} = lossGradientsOf(testModel(checkpoint), batch(), composedLayers());
    const compared = [...gradients].filter(([name]) => !name.endsWith('key.bias'));
    assert.equal(compared.length, Object.keys(norms).length - 6);
    for (const [name, values] of compared) {
      const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
      close([norm / norms[name]], [1], 1e-3, `${name}, relative`);
    }
  });

  test('goes through four steps of AdamW on one batch as PyTorch does', async () => {
    const {lr, steps} = golden.adamw_4_steps_same_batch;
    const trained = classifier(false);
    for (const [step, expected] of steps.entries()) {
      const {loss, gradNorm, logits} = await trained.trainStep(batch(), {step, learningRate: lr});
      close([loss], [expected.loss], 1e-4, `loss of step ${step}`);
      close([gradNorm / expected.grad_norm], [1], 1e-3, `gradient norm of step ${step}, relative`);
      close(pTrue(logits, batch().labels), expected.p_true, 1e-4, `pTrue of step ${step}`);
    }
  });

  test('resumes after two steps to the very bits of four uninterrupted ones', async () => {
    const step = (c: ReturnType<typeof classifier>, step: number) => c.trainStep(batch(), {step, learningRate: 1e-4});
    const whole = classifier(true, 3);
    for (const i of [0, 1, 2, 3]) await step(whole, i);
    const first = classifier(true, 3);
    for (const i of [0, 1]) await step(first, i);
    const second = classifier(true, 3);
    second.restore(first.state());
    first.dispose();
    for (const i of [2, 3]) await step(second, i);
    assert.equal(weightsDigest(second), weightsDigest(whole));
  });
});
