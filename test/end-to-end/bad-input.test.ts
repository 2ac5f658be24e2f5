// Everything wrong that a user can send, to one real server: one clear error each, nothing half-written, and the server lives on.
import assert from 'node:assert/strict';
import {readdirSync, readFileSync} from 'node:fs';
import {rm} from 'node:fs/promises';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {createClientFactory, Status} from 'nice-grpc';
import {errorDetailsClientMiddleware} from 'nice-grpc-error-details';
import {InstanceMetric, Region} from '../../src/server/gen/ftft/v1/data_map.js';
import {type FtftServiceClient, FtftServiceDefinition} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {type Run, Run_State, type TrainingSpec} from '../../src/server/gen/ftft/v1/run.js';
import {detail, errorOf, reasonOf} from '../server/start-test-server.js';
import {importText, type Refusal, wrongImports} from '../support/import-text.js';
import {type ServerProcess, startServer, temporaryFolder} from '../support/server-process.js';
import {waitForEnd} from '../support/small-run.js';
import {tinyLines} from '../support/tiny-model.js';
import {writeWrongModels} from '../support/wrong-models.js';

const numTrain = 24;
const spec: Partial<TrainingSpec> = {
  dataset: 'datasets/pets',
  model: 'local:tiny',
  maxLength: 16,
  epochs: 2,
  batchSize: 8,
  learningRate: 1e-3,
};
const folder = temporaryFolder();
const [dataDir, modelDir, cacheDir] = ['data', 'models', 'cache'].map(name => join(folder, name));
let server: ServerProcess;
let client: FtftServiceClient;

before(async () => {
  await writeWrongModels(modelDir);
  server = await startServer(dataDir, {FTFT_MODEL_DIR: modelDir, FTFT_CACHE_DIR: cacheDir});
  client = createClientFactory().use(errorDetailsClientMiddleware).create(FtftServiceDefinition, server.channel);
  await importText(client, {}, tinyLines(numTrain).join('\n'));
  await importText(client, {split: 'ood', outOfDistribution: true}, tinyLines(numTrain).join('\n'));
  await importText(client, {dataset: 'datasets/others'}, tinyLines(numTrain + 1).join('\n'));
});

after(async () => {
  await server?.stop();
  await rm(folder, {recursive: true, force: true});
});

/** Everything that the server has: datasets, runs, and the files below its folder but the database. */
async function state() {
  const {datasets} = await client.listDatasets({});
  const {runs} = await client.listRuns({});
  const files = readdirSync(dataDir, {recursive: true, withFileTypes: true})
    .filter(entry => entry.isFile() && !entry.name.startsWith('ftft.db'))
    .map(({parentPath, name}) => join(parentPath, name));
  return {datasets, runs: runs.map(({name, state}) => `${name} ${state}`), files: files.sort()};
}

/** The call fails as said, and leaves nothing. */
async function refused(call: () => Promise<unknown>, {code, reason, violations, message}: Refusal): Promise<void> {
  const before = await state();
  const error = await errorOf(call());
  assert.equal(`${Status[error.code]}/${reasonOf(error)}`, `${Status[code]}/${reason}`, error.details);
  const found = detail(error, 'google.rpc.BadRequest')?.fieldViolations ?? [];
  assert.deepEqual(
    found.map(({field, description}) => `${field}: ${description}`),
    violations ?? [],
  );
  assert.match(error.details, message ?? /^Cannot [^\n]+[^.]$/);
  assert.deepEqual(await state(), before);
}

const invalid = (...violations: string[]): Refusal => ({
  code: Status.INVALID_ARGUMENT,
  reason: 'INVALID_FIELD',
  violations,
});
const precondition = (reason: string, message: RegExp): Refusal => ({
  code: Status.FAILED_PRECONDITION,
  reason,
  message,
});

for (const [name, content, refusal] of wrongImports)
  test(`an import is refused whole: ${name}`, async () => {
    await refused(() => importText(client, {dataset: 'datasets/bad'}, content), refusal);
    await refused(() => importText(client, {split: 'extra'}, content), refusal);
    assert.equal(reasonOf(await errorOf(client.getDataset({name: 'datasets/bad'}))), 'DATASET_NOT_FOUND');
  });

test('an import that its client breaks off leaves nothing, however much of it had arrived', async () => {
  const before = await state();
  const breaking = new AbortController();
  const breakOff = async () => {
    await sleep(200);
    breaking.abort();
    await sleep(200);
  };
  const call = importText(client, {dataset: 'datasets/bad'}, tinyLines(9).join('\n'), breaking.signal, breakOff);
  await assert.rejects(call, {name: 'AbortError'});
  await sleep(300);
  assert.deepEqual(await state(), before);
});

test('an empty text is a warning', async () => {
  const {warnings, split} = await importText(
    client,
    {dataset: 'datasets/empty-text'},
    '{"uid":"a","text":"","label":"cat"}',
  );
  assert.deepEqual(warnings, ['1 instance has an empty text, the first in line 1']);
  assert.equal(split?.instanceCount, 1);
});

const wrongModels: [string, RegExp][] = [
  ['no-weights', /it must hold model\.safetensors .*found none of them$/],
  ['truncated', /model\.safetensors: it must hold \d+ bytes of values, found \d+: it is cut off/],
  ['corrupt', /model\.safetensors: its header must have at most/],
  ['other-shapes', /word_embeddings\.weight.*50.*51/],
];
for (const [name, message] of wrongModels)
  test(`a model folder is refused before anything runs: ${name}`, () =>
    refused(
      () => client.trainReference({spec: {...spec, model: `local:${name}`}}),
      precondition('MODEL_INVALID', message),
    ));

test('a reference of fewer than two epochs, and all else that is wrong with it, is refused at once', async () => {
  const few = 'spec.epochs: must be at least 2, since variability needs two, current value is 1';
  await refused(() => client.trainReference({spec: {...spec, epochs: 1}}), invalid(few));
  await refused(
    () => client.trainReference({runId: 'Not an id', spec: {...spec, epochs: 1, learningRate: -1}}),
    invalid(
      'run_id: must be 1 to 63 characters, [a-z]([-a-z0-9]*[a-z0-9])?, current value is "Not an id"',
      few,
      'spec.learning_rate: must be more than 0 and at most 1, current value is -1',
    ),
  );
  await refused(
    () => client.trainReference({spec: {...spec, learningRate: Number.NaN, weightDecay: Number.NaN}}),
    invalid(
      'spec.learning_rate: must be more than 0 and at most 1, current value is NaN',
      'spec.weight_decay: must be from 0 to 1, current value is NaN',
    ),
  );
  await refused(
    () => client.trainReference({spec: {...spec, layers: 3, maxLength: 17}}),
    invalid(
      "spec.layers: must be from 1 to the model's 2 layers, current value is 3",
      "spec.max_length: must be at most the model's 16 positions, current value is 17",
    ),
  );
});

test('a loss that turns NaN fails its run with that reason, and the next run succeeds', async () => {
  await client.trainReference({runId: 'nan', spec: {...spec, model: 'local:nan'}});
  await client.trainReference({runId: 'reference', spec});
  const failed = await waitForEnd(client, 'runs/nan');
  assert.equal(failed.state, Run_State.STATE_FAILED);
  assert.equal(reasonIn(failed), 'LOSS_NOT_FINITE');
  assert.match(failed.error!.message, /loss .*NaN/);
  assert.deepEqual([failed.modelUri, failed.progress?.committedEpochs], ['', 0]);
  const {files} = await state();
  assert.deepEqual(
    files.filter(file => file.includes(join('runs', failed.uid))),
    [],
  );
  const next = await waitForEnd(client, 'runs/reference');
  assert.equal(next.state, Run_State.STATE_SUCCEEDED, next.error?.message);
  const {runs} = await client.listRuns({filter: 'state = FAILED AND kind = REFERENCE AND create_time > 2026-01-01'});
  assert.deepEqual(
    runs.map(({name}) => name),
    ['runs/nan'],
  );
});

const wrongTokenizers: [string, RegExp][] = [
  ['no-tokenizer', /it must hold tokenizer\.json,.* or vocab\.txt, found none of them$/],
  ['large-tokenizer', /ids must be below vocab_size 50 of config\.json, the highest is 50$/],
];
for (const [name, message] of wrongTokenizers)
  test(`a model folder's tokenizer that does not serve fails the run: ${name}`, async () => {
    await client.trainReference({runId: name, spec: {...spec, model: `local:${name}`}});
    const failed = await waitForEnd(client, `runs/${name}`);
    assert.deepEqual([failed.state, reasonIn(failed)], [Run_State.STATE_FAILED, 'MODEL_INVALID']);
    assert.match(failed.error!.message, message);
  });

test('a share outside (0, 1], one beside a number, and scores that no one ranks by are refused', async () => {
  for (const fraction of [-0.1, 1.001, Number.NaN, Number.POSITIVE_INFINITY])
    await refused(
      () => client.buildDataMap({run: 'runs/reference', selection: {fraction}}),
      invalid(`selection.fraction: must be more than 0 and at most 1, current value is ${fraction}`),
    );
  await refused(
    () => client.buildDataMap({run: 'runs/reference', selection: {fraction: 0.1, count: 3}}),
    invalid('selection.count: must not be set beside selection.fraction, they are 3 and 0.1'),
  );
  const criterion = {$case: 'metric' as const, value: {metric: InstanceMetric.INSTANCE_METRIC_LOSS_TRAJECTORY}};
  await refused(
    () => client.buildDataMap({run: 'runs/reference', selection: {criterion}}),
    invalid('selection.metric.metric: must be one value an instance, LOSS_TRAJECTORY has one an epoch'),
  );
  await refused(
    () => client.buildDataMap({run: 'runs/nan'}),
    precondition('NO_COMMITTED_EPOCHS', /runs\/nan must have a committed epoch, it has none and is FAILED$/),
  );
});

test('a map of another dataset and an empty selection are refused, a map that serves is trained on', async () => {
  const random = (fraction: number) => ({criterion: {$case: 'region' as const, value: Region.REGION_RANDOM}, fraction});
  await client.buildDataMap({dataMapId: 'third', run: 'runs/reference', selection: random(0.34)});
  const empty = await client.buildDataMap({dataMapId: 'empty', run: 'runs/reference', selection: random(0.001)});
  assert.equal(empty.dataMap?.selectedCount, 0);
  await refused(
    () => client.fineTuneMain({dataMap: 'dataMaps/third', spec: {...spec, dataset: 'datasets/others'}}),
    precondition('DATA_MAP_OF_OTHER_DATASET', /must be of datasets\/others, split train; it is of datasets\/pets/),
  );
  await refused(
    () => client.fineTuneMain({dataMap: 'dataMaps/empty', spec}),
    precondition('SELECTION_EMPTY', /dataMaps\/empty must select at least one instance/),
  );
  const {run} = await client.fineTuneMain({runId: 'main', dataMap: 'dataMaps/third', spec});
  const ended = await waitForEnd(client, run!.name);
  assert.equal(ended.state, Run_State.STATE_SUCCEEDED, ended.error?.message);
});

test('after all of it no temporary file is left', async () => {
  const {runs} = await state();
  assert.equal(runs.length, 5);
  const left = readdirSync(folder, {recursive: true, encoding: 'utf8'}).filter(file =>
    /\.tmp|\.incoming-.*\//.test(file),
  );
  assert.deepEqual(left, []);
});

test('the metrics tell what was trained, what it cost and what failed, once', async () => {
  const text = await (await fetch(`http://${server.httpAddress}/metrics`)).text();
  const value = (name: string, ...labels: string[]) => {
    const line = text
      .split('\n')
      .find(line => line.startsWith(`${name}{`) && labels.every(part => line.includes(part)));
    return Number(line?.split(' ')[1]);
  };
  assert.equal(value('ftft_run_failures_total', 'kind="reference"', 'reason="LOSS_NOT_FINITE"'), 1);
  const {runs} = await client.listRuns({});
  for (const [kind, id] of [
    ['kind="reference"', 'reference'],
    ['kind="main"', 'main'],
  ]) {
    const {cost, progress, evaluations} = runs.find(({name}) => name === `runs/${id}`)!;
    const model = 'model="local:tiny"';
    assert.ok(cost!.trainedInstances > 0);
    assert.equal(value('ftft_training_steps_total', kind, model), progress!.steps);
    assert.equal(value('ftft_training_instances_total', kind, model), cost!.trainedInstances);
    assert.equal(value('ftft_training_tokens_total', kind, model), cost!.trainedTokens);
    assert.equal(value('ftft_training_flops_total', kind, model), cost!.flops);
    const {seconds, nanos} = cost!.acceleratorTime!;
    const accelerator = value('ftft_training_accelerator_seconds_total', kind, model);
    assert.ok(Math.abs(accelerator - (seconds + nanos / 1e9)) < 1e-6, `${accelerator} of ${seconds} s ${nanos} ns`);
    assert.ok(value('ftft_training_loss', kind, model) > 0);
    assert.equal(value('ftft_eval_accuracy_ratio', kind, model, 'split="ood"', 'ood="true"'), evaluations[0].accuracy);
  }
  assert.match(text, /^ftft_stream_subscribers 0$/m);
});

test('after training and checking models, the server itself has not loaded TensorFlow', () => {
  const libraries = readFileSync(`/proc/${server.child.pid}/maps`, 'utf8');
  assert.match(libraries, /libsql/, 'native libraries are listed');
  assert.doesNotMatch(libraries, /libtensorflow|tfjs_binding/);
});

function reasonIn(run: Run): string | undefined {
  const text = Buffer.concat(run.error?.details.map(({value}) => value) ?? []).toString('latin1');
  return /LOSS_NOT_FINITE|MODEL_INVALID|UNEXPECTED/.exec(text)?.[0];
}
