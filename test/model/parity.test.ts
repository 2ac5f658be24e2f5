// Every model of the parity kit, through both layer sets and both engines. Numbers and tolerances: ../shared/golden/README.md, made there by
// make_golden.py with transformers.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {before, describe, test} from 'node:test';
import type {Batch, NamedTensor} from '../../src/data/types.js';
import type {ClassifierOptions} from '../../src/model/classifier.js';
import {createClassifier} from '../../src/model/encoder-classifier.js';
import {hasFusedKernels, tf} from '../../src/model/tensorflow.js';
import {needsShared} from '../support/shared.js';
import {close, goldenJson, goldenTensors, maxAbs, pTrue, type Rows, toBatch} from './golden-models.js';
import {goldenModel, hiddenStatesOf, layerSets, lossGradientsOf, type TestModel} from './test-model.js';

const models = ['bert', 'roberta', 'electra', 'distilbert', 'deberta-v3', 'deberta-v2-conv'];

/** Of PyTorch's bfloat16 logits from its float32 ones: test/golden/bf16_logits.py. */
const bfloat16Distances: Record<string, number> = JSON.parse(
  readFileSync(new URL('../golden/bf16_logits.json', import.meta.url), 'utf8'),
);

const classNames = ['entailment', 'neutral', 'contradiction'];
/** A constant added to all keys changes no probability, so that the true gradient of these is 0 and AdamW divides noise by noise. */
const isKeyBias = (name: string) => /(self\.key|k_lin|pos_key_proj)\.bias$/.test(name);

interface Cases {
  batch: Rows & {labels: number[]};
  expected: {
    logits: number[][];
    loss: number;
    p_true: number[];
    grad_global_norm: number;
    logits_padded_to_48: number[][];
  };
  trajectory: {
    weight_decay: number;
    instances: {input_ids: number[]; token_type_ids?: number[]; label: number}[];
    batches: number[][];
    steps: {lr: number; loss: number; grad_norm: number; p_true: number[]; logits: number[][]}[];
  };
}

const engines: {engine: string; options: Partial<ClassifierOptions>; skip?: string | false}[] = [
  {engine: 'op by op', options: {eager: true}},
  {engine: "as a graph of TensorFlow's ops", options: {fused: false}},
  {engine: 'as a graph with our kernels', options: {}, skip: !hasFusedKernels && 'no fused kernels here'},
];

for (const name of models)
  describe(`the golden model ${name}`, {skip: needsShared}, () => {
    let model: TestModel;
    let cases: Cases;
    let expected: Map<string, NamedTensor>;
    let batch: Batch;

    before(async () => {
      model = await goldenModel(name);
      cases = goldenJson('models', name, 'cases.json');
      expected = goldenTensors('models', name, 'cases.safetensors');
      batch = toBatch(cases.batch);
    });

    for (const {engine, options, skip} of engines) {
      const classifier = (weightDecay = 0) =>
        createClassifier(model.checkpoint, {classNames, seed: 0, weightDecay, dropout: false, ...options});

      test(`${engine}, has the logits of transformers, their loss, the probabilities of the labels and the gradient norm`, {
        skip,
      }, async () => {
        const trained = classifier();
        close(await trained.predict(batch), cases.expected.logits.flat(), 2e-5, 'logits');
        const wide = await trained.predict(toBatch(cases.batch, 48));
        close(wide, cases.expected.logits_padded_to_48.flat(), 2e-5, 'logits padded to 48');
        const {loss, logits, gradNorm} = await trained.trainStep(batch, {step: 0, learningRate: 0});
        close([loss], [cases.expected.loss], 1e-5, 'loss');
        close(pTrue(logits, batch.labels), cases.expected.p_true, 1e-5, 'pTrue');
        close([gradNorm / cases.expected.grad_global_norm], [1], 1e-4, 'gradient norm, relative');
        trained.dispose();
      });

      test(`${engine}, goes through 12 steps of AdamW as PyTorch does, to the same weights`, {skip}, async () => {
        const {steps, batches, instances, weight_decay} = cases.trajectory;
        const trained = classifier(weight_decay);
        for (const [step, golden] of steps.entries()) {
          const chosen = batches[step].map(i => instances[i]);
          const batch = toBatch({
            input_ids: chosen.map(c => c.input_ids),
            token_type_ids: chosen.map(c => c.token_type_ids),
            attention_mask: chosen.map(c => c.input_ids.map(() => 1)),
            labels: chosen.map(c => c.label),
          });
          const {loss, logits, gradNorm} = await trained.trainStep(batch, {step, learningRate: golden.lr});
          close([loss], [golden.loss], 1e-4, `loss of step ${step}`);
          close(pTrue(logits, batch.labels), golden.p_true, 1e-4, `pTrue of step ${step}`);
          close([gradNorm / golden.grad_norm], [1], 1e-4, `gradient norm of step ${step}, relative`);
        }
        for (const {name, read} of trained.weights())
          close(read(), expected.get(`final.${name}`)!.read(), isKeyBias(name) ? 1e-4 : 5e-5, name);
        trained.dispose();
      });
    }

    for (const {name, layersOf, skip} of layerSets) {
      test(`${name} layers have its hidden states at real tokens`, {skip}, () => {
        const states = hiddenStatesOf(model, batch, layersOf());
        assert.equal(states.length, model.config.numHiddenLayers + 1);
        const {hiddenSize: D} = model.config;
        const places = [...batch.attentionMask.entries()].filter(([, bit]) => bit === 1).map(([place]) => place);
        for (const [i, state] of states.entries()) {
          const all = expected.get(`hidden.${i}`)!.read();
          const real = places.flatMap(place => [...all.subarray(place * D, (place + 1) * D)]);
          close(state, real, 5e-5, `hidden state ${i}`);
        }
      });

      test(`${name} layers have its gradient for every parameter, padded to its longest text and to 48`, {skip}, () => {
        for (const length of [batch.length, 48]) {
          const {gradients} = lossGradientsOf(model, toBatch(cases.batch, length), layersOf());
          assert.equal(gradients.size, model.parameters.length);
          for (const [parameter, values] of gradients) {
            const golden = expected.get(`grad.${parameter}`)!.read();
            close(values, golden, 1e-3 * maxAbs(golden) + 1e-6, `${parameter} of ${length}`);
          }
        }
      });
    }

    for (const isFused of [false, true])
      test(`in bfloat16 its logits are about as near as PyTorch's own, ${isFused ? 'with our kernels' : 'composed'}`, {
        skip: isFused && !hasFusedKernels && 'no fused kernels here',
      }, async () => {
        const options = {classNames, seed: 0, weightDecay: 0, precision: 'bfloat16', fused: isFused} as const;
        const half = createClassifier(model.checkpoint, options);
        // Which way numbers round is chance.
        close(await half.predict(batch), cases.expected.logits.flat(), 2 * bfloat16Distances[name], 'logits');
        half.dispose();
      });
  });

test('no tensor is left', {skip: needsShared}, async () => {
  const before = tf.memory().numTensors;
  const model = await goldenModel(models[0]);
  const {batch} = goldenJson('models', models[0], 'cases.json');
  hiddenStatesOf(model, toBatch(batch), layerSets[0].layersOf());
  lossGradientsOf(model, toBatch(batch), layerSets[0].layersOf());
  assert.equal(tf.memory().numTensors, before);
});
