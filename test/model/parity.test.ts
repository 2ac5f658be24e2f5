// Numbers and tolerances: ../shared/golden/README.md, made there by make_golden.py with transformers.
import assert from 'node:assert/strict';
import {before, describe, test} from 'node:test';
import type {Batch, Checkpoint, NamedTensor} from '../../src/data/types.js';
import {globalNorm} from '../../src/model/adamw.js';
import {batchInputs} from '../../src/model/batch-inputs.js';
import {embed, encoderLayer} from '../../src/model/bert.js';
import {createClassifier} from '../../src/model/bert-classifier.js';
import {composedLayers} from '../../src/model/composed-layers.js';
import {lossGradients} from '../../src/model/loss-gradients.js';
import {initialValue, matchParameters} from '../../src/model/parameters.js';
import {type Tensor, tf} from '../../src/model/tensorflow.js';
import {needsShared, sharedPath} from '../support/shared.js';
import {
  close,
  goldenCheckpoint,
  goldenJson,
  goldenTensors,
  maxAbs,
  pTrue,
  type Rows,
  toBatch,
} from './golden-models.js';

const classNames = ['entailment', 'neutral', 'contradiction'];
const isKeyBias = (name: string) => name.endsWith('attention.self.key.bias');

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
    instances: {input_ids: number[]; token_type_ids: number[]; label: number}[];
    batches: number[][];
    steps: {lr: number; loss: number; grad_norm: number; p_true: number[]; logits: number[][]}[];
  };
}

describe('the golden model bert', {skip: needsShared}, () => {
  let checkpoint: Checkpoint;
  let cases: Cases;
  let expected: Map<string, NamedTensor>;
  let batch: Batch;

  before(async () => {
    checkpoint = await goldenCheckpoint(sharedPath('golden', 'models', 'bert'));
    cases = goldenJson('models', 'bert', 'cases.json');
    expected = goldenTensors('models', 'bert', 'cases.safetensors');
    batch = toBatch(cases.batch);
  });

  const classifier = (weightDecay = 0) =>
    createClassifier(checkpoint, {classNames, seed: 0, weightDecay, dropout: false});
  const model = () => {
    const {parameters, config} = matchParameters(checkpoint, {numClasses: 3});
    const values = parameters.map(p => tf.tensor(initialValue(p, config, 0), p.shape));
    return {names: parameters.map(({name}) => name), values, config};
  };
  const gradientsOf = (batch: Batch) => {
    const {names, values, config} = model();
    const labels = tf.tensor1d(batch.labels, 'int32');
    return {names, ...lossGradients(names, values, batchInputs(batch), labels, config, composedLayers())};
  };

  test('has the logits of transformers', async () => {
    close(await classifier().predict(batch), cases.expected.logits.flat(), 2e-5, 'logits');
  });

  test('has the same logits when its batch is padded to 48', async () => {
    close(
      await classifier().predict(toBatch(cases.batch, 48)),
      cases.expected.logits_padded_to_48.flat(),
      2e-5,
      'logits',
    );
  });

  test('has the loss, the probabilities of the gold labels and the gradient norm of transformers', async () => {
    const {loss, logits, gradNorm} = await classifier().trainStep(batch, {step: 0, learningRate: 0});
    assert.ok(Math.abs(loss - cases.expected.loss) <= 1e-5, `loss ${loss}`);
    close(pTrue(logits, batch.labels), cases.expected.p_true, 1e-5, 'pTrue');
    close([gradNorm / cases.expected.grad_global_norm], [1], 1e-4, 'gradient norm, relative');
  });

  test('has the hidden states of transformers at real tokens after the embeddings and after each layer', () => {
    tf.tidy(() => {
      const {names, values, config} = model();
      const weights = (name: string) => values[names.indexOf(name)];
      const inputs = batchInputs(batch);
      const places = inputs.places.dataSync();
      const check = (x: Tensor, index: number) => {
        const all = expected.get(`hidden.${index}`)!.read();
        const D = config.hiddenSize;
        const real = [...places].flatMap(place => [...all.subarray(place * D, (place + 1) * D)]);
        close(x.dataSync(), real, 5e-5, `hidden state ${index}`);
      };
      let x = embed(weights, inputs, config, composedLayers());
      check(x, 0);
      for (let layer = 0; layer < config.numHiddenLayers; layer++) {
        x = encoderLayer(layer, x, weights, inputs, config, composedLayers());
        check(x, layer + 1);
      }
    });
  });

  test('has the gradient of transformers for every parameter', () => {
    tf.tidy(() => {
      const {names, gradients, logits} = gradientsOf(batch);
      names.forEach((name, i) => {
        const golden = expected.get(`grad.${name}`)!.read();
        close(gradients[i].dataSync(), golden, 1e-3 * maxAbs(golden) + 1e-6, name);
      });
      const [norm] = globalNorm(gradients).dataSync();
      close([norm / cases.expected.grad_global_norm], [1], 1e-4, 'global norm, relative');
      logits.dispose();
    });
  });

  test('has the same gradients when its batch is padded to 48', () => {
    tf.tidy(() => {
      const narrow = gradientsOf(batch);
      const wide = gradientsOf(toBatch(cases.batch, 48));
      narrow.names.forEach((name, i) => {
        const golden = narrow.gradients[i].dataSync();
        close(wide.gradients[i].dataSync(), golden, 1e-5 * maxAbs(golden) + 1e-7, name);
      });
      tf.dispose([narrow.logits, wide.logits]);
    });
  });

  test('goes through 12 steps of AdamW as PyTorch does, to the same weights', async () => {
    const {steps, batches, instances, weight_decay} = cases.trajectory;
    const trained = classifier(weight_decay);
    for (const [step, golden] of steps.entries()) {
      const chosen = batches[step].map(i => instances[i]);
      const rows = {
        input_ids: chosen.map(c => c.input_ids),
        token_type_ids: chosen.map(c => c.token_type_ids),
        attention_mask: chosen.map(c => c.input_ids.map(() => 1)),
        labels: chosen.map(c => c.label),
      };
      const batch = toBatch(rows);
      const result = await trained.trainStep(batch, {step, learningRate: golden.lr});
      close([result.loss], [golden.loss], 1e-4, `loss of step ${step}`);
      close(pTrue(result.logits, batch.labels), golden.p_true, 1e-4, `pTrue of step ${step}`);
      close([result.gradNorm / golden.grad_norm], [1], 1e-4, `gradient norm of step ${step}, relative`);
    }
    for (const {name, read} of trained.weights())
      close(read(), expected.get(`final.${name}`)!.read(), isKeyBias(name) ? 1e-4 : 5e-5, name);
  });
});
