// Exported models, loaded by TensorFlow's own loader and called by their signature: the logits of predict() for batches of every shape.
import assert from 'node:assert/strict';
import {mkdtempSync, readFileSync, rmSync, statSync, truncateSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, test} from 'node:test';
import type {Batch, Checkpoint, ModelConfig} from '../../src/data/types.js';
import {FtftError} from '../../src/errors.js';
import type {Classifier, Task} from '../../src/model/classifier.js';
import {SavedModel} from '../../src/model/compile/gen/tensorflow.js';
import {createClassifier} from '../../src/model/encoder-classifier.js';
import {writeSavedModel} from '../../src/model/serving.js';
import {type Tensor, tf} from '../../src/model/tensorflow.js';
import {realPlaces} from '../../src/model/token-places.js';
import {needsShared, sharedPath} from '../support/shared.js';
import {fillUp, mountSmallDisk, unmount} from '../support/small-disk.js';
import {close, goldenCheckpoint, goldenJson, type Rows, toBatch} from './golden-models.js';
import {tinyBatch, tinyCheckpoint, tinyConfig} from './tiny-checkpoint.js';

const tolerance = 1e-5;
const dtypes: Record<number, string> = {1: 'float32', 3: 'int32'};
const folder = mkdtempSync(join(tmpdir(), 'ftft-serving-'));
after(() => rmSync(folder, {recursive: true}));
let numFolders = 0;
const newFolder = () => join(folder, String(numFolders++));

type Results = Record<string, {shape: number[]; values: Float32Array}>;

/** Writes what was trained and calls it for each batch, with all inputs that its signature asks for. */
async function served(checkpoint: Checkpoint, batches: Batch[]): Promise<Results[]> {
  const exported = newFolder();
  writeSavedModel(exported, checkpoint);
  const model = await tf.node.loadSavedModel(exported);
  const results = batches.map(batch =>
    tf.tidy(() => {
      const {batchSize, length, inputIds, attentionMask, tokenTypeIds} = batch;
      const columns = {input_ids: inputIds, attention_mask: attentionMask, token_type_ids: tokenTypeIds};
      const asked = Object.entries(columns).filter(([name]) => model.inputs.some(input => input.name.endsWith(name)));
      const grids = asked.map(([name, values]) => [name, tf.tensor2d(values, [batchSize, length], 'int32')]);
      const outputs = model.predict(Object.fromEntries(grids)) as Record<string, Tensor>;
      const read = ([name, {shape, dataSync}]: [string, Tensor]) => [
        name,
        {shape, values: dataSync.call(outputs[name])},
      ];
      return {results: Object.fromEntries(Object.entries(outputs).map(read)) as Results};
    }),
  );
  model.dispose();
  return results.map(({results}) => results);
}

/** As it would be read back from the folder that it is saved to. */
const trained = (classifier: Classifier, config: ModelConfig): Checkpoint => ({
  folder: 'trained',
  config: {...config, raw: classifier.config()},
  tensors: new Map(classifier.weights().map(tensor => [tensor.name, tensor])),
});

/** Softmax over the last axis. */
function softmax(values: Float32Array, width: number): number[] {
  return Array.from(values, (value, i) => {
    const row = values.subarray(i - (i % width), i - (i % width) + width);
    return Math.exp(value) / row.reduce((sum, other) => sum + Math.exp(other), 0);
  });
}

/** Rows of these lengths. */
function rowsOf(lengths: number[], vocabSize: number): Rows {
  const row = (n: number, value: (i: number) => number) => Array.from({length: n}, (_, i) => value(i));
  return {
    input_ids: lengths.map((n, r) => row(n, i => 5 + ((r * 31 + i * 7) % (vocabSize - 5)))),
    token_type_ids: lengths.map(n => row(n, i => (i > n / 2 ? 1 : 0))),
    attention_mask: lengths.map(n => row(n, () => 1)),
  };
}

const models = ['bert', 'electra', 'roberta', 'distilbert', 'deberta-v3', 'deberta-v2-conv'];

for (const name of models)
  describe(`the golden model ${name}, exported`, {skip: needsShared}, () => {
    test('has the logits of predict and their softmax, for batches of every shape', async () => {
      const checkpoint = await goldenCheckpoint(sharedPath('golden', 'models', name));
      const {batch, expected} = goldenJson('models', name, 'cases.json');
      const {vocabSize, padTokenId, hasPositionEmbeddings, relativePositions} = checkpoint.config;
      const shapes = [[1], [1, 1, 1], [3, 9, 2, 9, 1], [17], [40, 1], new Array(11).fill(6)];
      // Without positions of their own, texts may be longer than any that it has seen.
      if (!hasPositionEmbeddings) shapes.push([700, 30, 530]);
      const usual = [batch, ...shapes.map(lengths => rowsOf(lengths, vocabSize))].map(rows => toBatch(rows));
      // Texts that spell out padding, and tokens that do not count though others after them do: fused kernels take no notice of those.
      const odd = [toBatch(rowsOf([12, 5], vocabSize)), toBatch(rowsOf([12, 5], vocabSize))];
      odd[0].inputIds.fill(padTokenId, 2, 4);
      odd[1].attentionMask.fill(0, 12, 13);
      // Relative positions are for texts without gaps.
      if (!relativePositions) odd[1].attentionMask.fill(0, 3, 5);
      const results = await served(checkpoint, [...usual, toBatch(batch, 48), ...odd]);
      close(results[0].logits.values, expected.logits.flat(), 2e-5, 'logits of transformers');
      const options = {classNames: ['a', 'b', 'c'], seed: 0, weightDecay: 0};
      for (const [fused, batches] of [[true, [...usual, toBatch(batch, 48)]] as const, [false, odd] as const]) {
        const classifier = createClassifier(checkpoint, {...options, fused});
        for (const batch of batches) {
          const {logits, probabilities} = results.shift()!;
          const what = `of ${batch.batchSize} x ${batch.length}${fused ? '' : ', odd'}`;
          assert.deepEqual(
            [logits.shape, probabilities.shape],
            [
              [batch.batchSize, 3],
              [batch.batchSize, 3],
            ],
          );
          close(logits.values, await classifier.predict(batch), tolerance, `logits ${what}`);
          close(probabilities.values, softmax(logits.values, 3), 1e-6, `probabilities ${what}`);
        }
        classifier.dispose();
      }
    });

    test('with a head for tokens, or for answers, has the logits of predict at real tokens', async () => {
      const base = await goldenCheckpoint(sharedPath('golden', 'models', name));
      for (const key of [...base.tensors.keys()]) if (/^classifier\./.test(key)) base.tensors.delete(key);
      const batch = toBatch(goldenJson('models', name, 'cases.json').batch, 45);
      const places = realPlaces(batch);
      for (const task of ['token-classification', 'question-answering'] as Task[]) {
        const classNames = task === 'question-answering' ? ['first', 'last'] : ['O', 'B', 'I', 'E'];
        const classifier = createClassifier(base, {task, classNames, seed: 3, weightDecay: 0});
        const expected = await classifier.predict(batch);
        const [results] = await served(trained(classifier, base.config), [batch]);
        if (task === 'token-classification') {
          const {logits, probabilities} = results;
          assert.deepEqual(logits.shape, [batch.batchSize, 45, 4]);
          const real = Array.from(places).flatMap(place => [...logits.values.subarray(4 * place, 4 * place + 4)]);
          close(real, expected, tolerance, 'logits of tokens');
          close(probabilities.values, softmax(logits.values, 4), 1e-6, 'probabilities of tokens');
        } else {
          const ends = [results.start_logits, results.end_logits];
          for (const [end, {shape, values}] of ends.entries()) {
            assert.deepEqual(shape, [batch.batchSize, 45]);
            const real = Array.from(places, place => values[place]);
            close(
              real,
              expected.filter((_, i) => i % 2 === end),
              tolerance,
              ['start', 'end'][end],
            );
            const padding = values.filter((_, place) => batch.attentionMask[place] === 0);
            assert.ok(padding.length > 0 && padding.every(value => value < -1e8));
          }
        }
        classifier.dispose();
      }
    });
  });

async function tinyTrained(): Promise<Checkpoint> {
  const classifier = createClassifier(tinyCheckpoint(), {classNames: ['x', 'y', 'z'], seed: 5, weightDecay: 0});
  const weights = classifier.weights().map(({name, shape, read}) => {
    const values = read();
    return [name, {name, shape, read: () => values}] as const;
  });
  const checkpoint = {...trained(classifier, tinyConfig), tensors: new Map(weights)};
  classifier.dispose();
  return checkpoint;
}

test('the signature is serving_default, tagged serve, of unknown batch size and length', async () => {
  const exported = newFolder();
  writeSavedModel(exported, await tinyTrained());
  const {metaGraphs} = SavedModel.decode(readFileSync(join(exported, 'saved_model.pb')));
  assert.deepEqual(
    metaGraphs.map(({metaInfoDef}) => metaInfoDef?.tags),
    [['serve']],
  );
  const [{signatureDef}] = metaGraphs;
  assert.deepEqual(Object.keys(signatureDef), ['serving_default']);
  const {inputs, outputs, methodName} = signatureDef.serving_default;
  assert.equal(methodName, 'tensorflow/serving/predict');
  const told = (infos: typeof inputs) =>
    Object.fromEntries(
      Object.entries(infos).map(([name, {dtype, tensorShape}]) => [
        name,
        `${dtypes[dtype]} ${tensorShape?.dim.map(({size}) => size)}`,
      ]),
    );
  const grid = 'int32 -1,-1';
  assert.deepEqual(told(inputs), {input_ids: grid, attention_mask: grid, token_type_ids: grid});
  assert.deepEqual(told(outputs), {logits: 'float32 -1,3', probabilities: 'float32 -1,3'});
});

test('weights lie in variables, once, and the graph has none of them and none of our ops', async () => {
  const exported = newFolder();
  const wide = {...tinyConfig, vocabSize: 5000};
  const classifier = createClassifier(tinyCheckpoint(wide), {classNames: ['x', 'y', 'z'], seed: 5, weightDecay: 0});
  writeSavedModel(exported, trained(classifier, wide));
  const numValues = classifier.weights().reduce((sum, {read}) => sum + read().length, 0);
  classifier.dispose();
  const {size} = statSync(join(exported, 'variables', 'variables.data-00000-of-00001'));
  assert.equal(size, 4 * numValues);
  const graph = readFileSync(join(exported, 'saved_model.pb'));
  assert.ok(graph.length < 100_000, `${graph.length} bytes`);
  assert.ok(!graph.includes('Ftft'));
});

test('exporting leaves no tensor, and two models of the same names do not share their weights', async () => {
  const before = tf.memory().numTensors;
  const [one, other] = [await tinyTrained(), await tinyTrained()];
  const doubled = ({name, shape, read}: {name: string; shape: number[]; read(): Float32Array}) =>
    [name, {name, shape, read: () => read().map(value => 2 * value)}] as const;
  other.tensors = new Map([...other.tensors.values()].map(doubled));
  const folders = [newFolder(), newFolder()];
  writeSavedModel(folders[0], one);
  writeSavedModel(folders[1], other);
  const loaded = await Promise.all(folders.map(exported => tf.node.loadSavedModel(exported)));
  for (const [i, checkpoint] of [one, other].entries()) {
    const batch = tinyBatch();
    const classifier = createClassifier(checkpoint, {classNames: ['x', 'y', 'z'], seed: 0, weightDecay: 0});
    const expected = await classifier.predict(batch);
    classifier.dispose();
    tf.tidy(() => {
      const grid = (values: Int32Array) => tf.tensor2d(values, [batch.batchSize, batch.length], 'int32');
      const {logits} = loaded[i].predict({
        input_ids: grid(batch.inputIds),
        attention_mask: grid(batch.attentionMask),
        token_type_ids: grid(batch.tokenTypeIds),
      }) as Record<string, Tensor>;
      close(logits.dataSync() as Float32Array, expected, tolerance * Math.max(...expected.map(Math.abs)), `model ${i}`);
    });
    loaded[i].dispose();
  }
  assert.equal(tf.memory().numTensors, before);
});

test('a model whose head has not been trained is refused by the tensor that it lacks', () => {
  const untrained = (checkpoint: Checkpoint, message: RegExp) =>
    assert.throws(
      () => writeSavedModel(newFolder(), checkpoint),
      (error: unknown) =>
        error instanceof FtftError && error.details.reason === 'MODEL_INVALID' && message.test(error.message),
    );
  const checkpoint = tinyCheckpoint();
  untrained(checkpoint, /^Cannot export model tiny: it must hold classifier\.bias of its head, .*; fine-tune it/);
  checkpoint.tensors.set('classifier.bias', {name: 'classifier.bias', shape: [3], read: () => new Float32Array(3)});
  untrained(checkpoint, /it must hold bert\.pooler\.dense\.weight of its head/);
});

test('a disk that is full for the graph, or for the variables, is said so', async t => {
  const disk = join(folder, 'disk');
  if (!mountSmallDisk(t, disk)) return;
  try {
    const ballast = join(disk, 'ballast');
    fillUp(disk, ballast);
    const wide = {...tinyConfig, vocabSize: 20_000};
    const classifier = createClassifier(tinyCheckpoint(wide), {classNames: ['x', 'y'], seed: 5, weightDecay: 0});
    for (const roomBytes of [0, 300_000]) {
      truncateSync(ballast, statSync(ballast).size - roomBytes);
      const exported = join(disk, `exported-${roomBytes}`);
      assert.throws(
        () => writeSavedModel(exported, trained(classifier, wide)),
        (error: unknown) => error instanceof FtftError && error.details.reason === 'DISK_FULL',
      );
      assert.equal(statSync(join(exported, 'saved_model.pb')).size > 0, roomBytes > 0);
    }
    classifier.dispose();
  } finally {
    unmount(disk);
  }
});
