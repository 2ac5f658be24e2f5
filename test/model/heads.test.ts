// Heads for tokens and for answers on the encoders of the parity kit: logits and loss from its hidden states, in plain numbers, beside ours.
import assert from 'node:assert/strict';
import {before, describe, test} from 'node:test';
import type {Batch, Checkpoint} from '../../src/data/types.js';
import type {Classifier, ClassifierOptions, Task} from '../../src/model/classifier.js';
import {createClassifier} from '../../src/model/encoder-classifier.js';
import {needsShared, sharedPath} from '../support/shared.js';
import {close, goldenCheckpoint, goldenJson, goldenTensors, type Rows, toBatch} from './golden-models.js';

const unlabelled = -100;
const engines: Record<string, Partial<ClassifierOptions>> = {eager: {eager: true}, composed: {fused: false}, fused: {}};

interface Expected {
  /** [T, C] */
  logits: number[][];
  /** Text of each token, and its place there. */
  tokens: {row: number; place: number}[];
}

for (const name of ['bert', 'roberta', 'electra', 'distilbert', 'deberta-v3', 'deberta-v2-conv'])
  describe(`heads on the golden model ${name}`, {skip: needsShared}, () => {
    let checkpoint: Checkpoint;
    let rows: Rows;
    let hidden: Float32Array;

    before(async () => {
      checkpoint = await goldenCheckpoint(sharedPath('golden', 'models', name));
      for (const key of [...checkpoint.tensors.keys()]) if (/^classifier\./.test(key)) checkpoint.tensors.delete(key);
      rows = goldenJson('models', name, 'cases.json').batch;
      hidden = goldenTensors('models', name, 'cases.safetensors')
        .get(`hidden.${checkpoint.config.numHiddenLayers}`)!
        .read();
    });

    const make = (task: Task, options: Partial<ClassifierOptions>) =>
      createClassifier(checkpoint, {
        task,
        classNames: task === 'question-answering' ? ['first', 'last'] : ['O', 'B', 'I'],
        seed: 4,
        weightDecay: 0,
        dropout: false,
        ...options,
      });

    /** The kit's last hidden states through the head's own weights. */
    function expectedOf(classifier: Classifier, batch: Batch, layer: string): Expected {
      const weights = new Map(classifier.weights().map(tensor => [tensor.name, tensor.read()]));
      const [weight, bias] = [weights.get(`${layer}.weight`)!, weights.get(`${layer}.bias`)!];
      const D = weight.length / bias.length;
      const tokens = [...batch.attentionMask.entries()]
        .filter(([, bit]) => bit === 1)
        .map(([index]) => ({row: Math.floor(index / batch.length), place: index % batch.length}));
      const logits = tokens.map(({row, place}) => {
        const x = hidden.subarray((row * 40 + place) * D, (row * 40 + place + 1) * D);
        return Array.from(bias, (offset, c) => x.reduce((sum, value, d) => sum + value * weight[c * D + d], offset));
      });
      return {logits, tokens};
    }

    for (const [engine, options] of Object.entries(engines)) {
      test(`a class for each token, ${engine}`, async () => {
        const classifier = make('token-classification', options);
        const batch = toBatch(rows);
        const labels = Int32Array.from(batch.inputIds, (_, place) => (place % 4 === 0 ? unlabelled : place % 3));
        const {logits, tokens} = expectedOf(classifier, batch, 'classifier');
        const losses = tokens.flatMap(({row, place}, t) => {
          const label = labels[row * batch.length + place];
          return label === unlabelled ? [] : [-logSoftmax(logits[t])[label]];
        });
        const given = {...batch, labels};
        close(await classifier.predict(given), logits.flat(), 5e-5, 'logits');
        const step = await classifier.trainStep(given, {step: 0, learningRate: 0});
        close([step.loss], [mean(losses)], 2e-5, 'loss');
        assert.ok(step.gradNorm > 0);
        classifier.dispose();
      });

      test(`where an answer begins and ends, ${engine}, whatever the padding`, async () => {
        const classifier = make('question-answering', options);
        const batch = toBatch(rows);
        const labels = Int32Array.from({length: 2 * batch.batchSize}, (_, i) => (i === 3 ? unlabelled : i % 7));
        const {logits, tokens} = expectedOf(classifier, batch, 'qa_outputs');
        const losses = [0, 1].map(column => {
          const ofRows = Array.from({length: batch.batchSize}, (_, row) => {
            const scores = logits.filter((_, t) => tokens[t].row === row).map(pair => pair[column]);
            const label = labels[2 * row + column];
            return label === unlabelled ? [] : [-logSoftmax(scores)[label]];
          });
          return mean(ofRows.flat());
        });
        for (const length of [batch.length, 48]) {
          const given = {...toBatch(rows, length), labels};
          close(await classifier.predict(given), logits.flat(), 5e-5, 'logits');
          const step = await classifier.trainStep(given, {step: 0, learningRate: 0});
          close([step.loss], [mean(losses)], 2e-5, `loss of ${length}`);
        }
        classifier.dispose();
      });
    }

    test('both heads learn', async () => {
      for (const task of ['token-classification', 'question-answering'] as const) {
        const classifier = make(task, {});
        const batch = toBatch(rows);
        const labels =
          task === 'question-answering'
            ? Int32Array.from({length: 2 * batch.batchSize}, (_, i) => i % 7)
            : batch.inputIds.map(id => id % 3);
        const losses = [];
        for (let step = 0; step < 20; step++)
          losses.push((await classifier.trainStep({...batch, labels}, {step, learningRate: 3e-3})).loss);
        assert.ok(losses.at(-1)! < 0.7 * losses[0], `${task}: ${losses[0]} to ${losses.at(-1)}`);
        classifier.dispose();
      }
    });
  });

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function logSoftmax(values: number[]): number[] {
  const most = Math.max(...values);
  const total = Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
  return values.map(value => value - most - total);
}
