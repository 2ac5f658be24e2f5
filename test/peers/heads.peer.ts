// Every family with every head, trained a few steps and saved by us: in transformers the same logits and losses, and the exported SavedModel has
// them in Python's TensorFlow.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {peerEnvironment, python} from '../../bench/peers/environment.js';
import {saveModelFolder} from '../../src/data/checkpoint.js';
import type {Batch} from '../../src/data/types.js';
import type {Classifier, Task} from '../../src/model/classifier.js';
import {createClassifier} from '../../src/model/encoder-classifier.js';
import {realPlaces} from '../../src/model/token-places.js';
import {exportModel} from '../../src/pipeline/export-model.js';
import {close, goldenCheckpoint, goldenJson, type Rows, toBatch} from '../model/golden-models.js';
import {needsShared, sharedPath} from '../support/shared.js';

const tolerance = 1e-4;
const models = ['bert', 'electra', 'roberta', 'distilbert', 'deberta-v3', 'deberta-v2-conv'];
/** Of models whose tokenizers give no types, transformers takes none, or other ones. */
const hasTypes = (name: string) => !['roberta', 'distilbert'].includes(name);

const autoClasses: Record<Task, string> = {
  'sequence-classification': 'AutoModelForSequenceClassification',
  'token-classification': 'AutoModelForTokenClassification',
  'question-answering': 'AutoModelForQuestionAnswering',
};
const tasks = Object.keys(autoClasses) as Task[];

/** A folder with TensorFlow; beside PyTorch it is a second several GB, so it is never installed from here. */
const tensorflowPath = process.env.FTFT_TENSORFLOW_PYTHONPATH;
const needsTensorflow =
  !tensorflowPath &&
  'needs TensorFlow for Python: pip install --target FOLDER tensorflow-cpu, then FTFT_TENSORFLOW_PYTHONPATH=FOLDER';

type Answer = Record<string, unknown>;
interface Case {
  name: string;
  task: Task;
  folder: string;
  batch: Batch;
  inputs: Record<string, number[] | number[][]>;
  ours: {logits: Float32Array; loss: number};
}

const folder = mkdtempSync(join(tmpdir(), 'ftft-heads-'));
const cases: Case[] = [];
let transformers: Answer[];
let tensorflow: Answer[] | undefined;

describe('models that we trained and saved', {skip: needsShared}, () => {
  before(async () => {
    for (const name of models) for (const task of tasks) cases.push(await trainedCase(name, task));
    const jobs = cases.map(({folder, task, inputs}) => ({folder, auto: autoClasses[task], inputs}));
    transformers = answers('heads_peer.py', await peerEnvironment(), jobs);
    if (!tensorflowPath) return;
    for (const {folder} of cases) await exportModel(folder, join(folder, 'exported'));
    const environment = {...process.env, PYTHONPATH: tensorflowPath, TF_CPP_MIN_LOG_LEVEL: '3'};
    const exported = cases.map(({folder, inputs}) => ({folder: join(folder, 'exported'), inputs}));
    tensorflow = answers('tensorflow_peer.py', environment, exported);
  });
  after(() => rmSync(folder, {recursive: true}));

  models.forEach((name, m) => {
    tasks.forEach((task, t) => {
      const at = m * tasks.length + t;

      test(`${name} for ${task} has in transformers the logits and the loss that it has here`, () => {
        const {ours} = cases[at];
        close(realLogits(cases[at], transformers[at]), ours.logits, tolerance, 'logits');
        close([transformers[at].loss as number], [ours.loss], tolerance, 'loss');
      });

      test(`${name} for ${task}, exported, has in TensorFlow the logits of transformers`, {
        skip: needsTensorflow,
      }, () => {
        const logits = realLogits(cases[at], tensorflow![at]);
        close(logits, realLogits(cases[at], transformers[at]), tolerance, 'logits');
      });
    });
  });
});

/** Three steps from the kit's encoder and a new head. */
async function trainedCase(name: string, task: Task): Promise<Case> {
  const checkpoint = await goldenCheckpoint(sharedPath('golden', 'models', name));
  for (const key of [...checkpoint.tensors.keys()]) if (/^classifier\./.test(key)) checkpoint.tensors.delete(key);
  const classNames = task === 'question-answering' ? ['first', 'last'] : ['O', 'B', 'I', 'E'];
  const classifier = createClassifier(checkpoint, {task, classNames, seed: 1, weightDecay: 0.01, dropout: false});
  const {batch, labels} = labelled(goldenJson('models', name, 'cases.json').batch, task);
  for (let step = 0; step < 3; step++) await classifier.trainStep(batch, {step, learningRate: 1e-3});
  const saved = join(folder, `${name}-${task}`);
  await saveModelFolder(saved, {
    config: classifier.config(),
    tensors: classifier.weights(),
    tokenizerFolder: checkpoint.folder,
  });
  const ours = await judged(classifier, batch);
  classifier.dispose();
  const inputs = {
    input_ids: rowsOf(batch.inputIds, batch),
    attention_mask: rowsOf(batch.attentionMask, batch),
    ...(hasTypes(name) ? {token_type_ids: rowsOf(batch.tokenTypeIds, batch)} : {}),
    ...labels,
  };
  return {name, task, folder: saved, batch, inputs, ours};
}

async function judged(classifier: Classifier, batch: Batch) {
  const logits = await classifier.predict(batch);
  const {loss} = await classifier.trainStep(batch, {step: 3, learningRate: 0});
  return {logits, loss};
}

/** With labels for the task, as we take them and as transformers does. */
function labelled(rows: Rows, task: Task): {batch: Batch; labels: Record<string, number[] | number[][]>} {
  if (task === 'question-answering') {
    // Of one length: in transformers padding has a share in the probability of an answer's ends.
    const cut = (row: number[]) => row.slice(0, 7);
    const {input_ids, token_type_ids, attention_mask} = rows;
    const batch = toBatch({
      input_ids: input_ids.map(cut),
      token_type_ids: token_type_ids?.map(row => row && cut(row)),
      attention_mask: attention_mask.map(cut),
    });
    const starts = input_ids.map((_, i) => i % 4);
    const ends = starts.map(start => start + 2);
    const pairs = Int32Array.from(starts.flatMap((start, i) => [start, ends[i]]));
    return {batch: {...batch, labels: pairs}, labels: {start_positions: starts, end_positions: ends}};
  }
  const batch = toBatch(rows);
  if (task === 'sequence-classification') return {batch, labels: {labels: [...batch.labels]}};
  const labels = batch.attentionMask.map((bit, place) => (bit === 0 || place % 5 === 0 ? -100 : place % 4));
  return {batch: {...batch, labels}, labels: {labels: rowsOf(labels, batch)}};
}

/** In the order of our own: of texts, else of real tokens alone. */
function realLogits({task, batch}: Case, answer: Answer): number[] {
  const flat = (name: string) => (answer[name] as unknown[]).flat(2) as number[];
  if (task === 'sequence-classification') return flat('logits');
  const places = [...realPlaces(batch)];
  if (task === 'question-answering') {
    const [starts, ends] = [flat('start_logits'), flat('end_logits')];
    return places.flatMap(place => [starts[place], ends[place]]);
  }
  const all = flat('logits');
  const numClasses = all.length / batch.inputIds.length;
  return places.flatMap(place => all.slice(place * numClasses, (place + 1) * numClasses));
}

function answers(script: string, env: NodeJS.ProcessEnv, jobs: unknown[]): Answer[] {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const input = JSON.stringify(jobs);
  const {status, stdout, stderr} = spawnSync(python, [path], {env, input, encoding: 'utf8', maxBuffer: 1 << 28});
  assert.equal(status, 0, `${python} ${script} failed: ${stderr}`);
  return JSON.parse(stdout);
}

const rowsOf = (values: Int32Array, {length, batchSize}: Batch): number[][] =>
  Array.from({length: batchSize}, (_, row) => [...values.subarray(row * length, (row + 1) * length)]);
