import assert from 'node:assert/strict';
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import type {FtftError} from '../../src/errors.js';
import type {TrainingSpecInput} from '../../src/runs/types.js';
import {
  bytes,
  creation,
  header,
  importPets,
  lines,
  openRuns,
  runsOptions,
  temporaryFolder,
} from './support/open-runs.js';

const fieldsOf = async (call: Promise<unknown>): Promise<string[]> => {
  const error: FtftError = await call.then(
    () => assert.fail('it was accepted'),
    error => error,
  );
  assert.deepEqual([error.code, error.details.reason], ['INVALID_ARGUMENT', 'INVALID_FIELD']);
  return error.details.violations!.map(({field}) => field);
};

test('defaults are those of the contract', async t => {
  const runs = await openRuns(t);
  await importPets(runs, 65);
  const run = await runs.trainReference({
    spec: {dataset: 'pets', model: 'local:tiny', maxLength: 10},
    labels: {},
    validateOnly: false,
  });
  assert.deepEqual(run.spec, {
    ...{dataset: 'pets', trainSplit: 'train', evaluationSplits: ['ood'], model: 'local:tiny', layers: 0, maxLength: 10},
    ...{epochs: 4, batchSize: 32, learningRate: 2e-5, warmupRatio: 0.1, weightDecay: 0, precision: 'FLOAT32', seed: 0},
    ...{evaluationIntervalSteps: 3, maxAttempts: 3, priority: 0, scheduleSpan: 'STEP_BUDGET'},
  });
  assert.deepEqual([run.kind, run.state, run.attempt, run.queuePosition], ['REFERENCE', 'PENDING', 0, 1]);
  assert.deepEqual([run.progress.totalSteps, run.progress.totalEpochs], [12, 4]);
  assert.match(run.id, /^[a-z]([-a-z0-9]*[a-z0-9])?$/);
  const tooLong = runs.trainReference({spec: {dataset: 'pets', model: 'local:tiny'}, labels: {}, validateOnly: true});
  assert.deepEqual(await fieldsOf(tooLong), ['spec.max_length'], '300 tokens by default, more than the tiny model has');
});

test('all violations of a request come at once, under the names of its fields', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  const spec: TrainingSpecInput = {
    ...{
      dataset: 'pets',
      model: '',
      trainSplit: 'nope',
      evaluationSplits: ['ood', 'ood', 'gone'],
      layers: -1,
      maxLength: 2,
    },
    ...{epochs: 1, batchSize: 0.5, learningRate: Number.NaN, warmupRatio: 1.1, weightDecay: -1, seed: -1},
    ...{evaluationIntervalSteps: 0, executionTimeoutMs: 0, maxAttempts: 0, priority: 2 ** 40},
  };
  const labels = Object.fromEntries(Array.from({length: 65}, (_, i) => [`k${i}`, 'v']));
  assert.deepEqual((await fieldsOf(runs.trainReference({id: 'Not-An-Id', spec, labels, validateOnly: false}))).sort(), [
    'labels',
    'run_id',
    'spec.batch_size',
    'spec.epochs',
    'spec.evaluation_interval_steps',
    'spec.evaluation_splits',
    'spec.evaluation_splits[2]',
    'spec.execution_timeout',
    'spec.layers',
    'spec.learning_rate',
    'spec.max_attempts',
    'spec.max_length',
    'spec.model',
    'spec.priority',
    'spec.seed',
    'spec.train_split',
    'spec.warmup_ratio',
    'spec.weight_decay',
  ]);
  assert.deepEqual(await runs.countRuns(), []);
});

test('a reference of fewer than two epochs is refused, a run id of 64 characters too, one of 63 is taken', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  for (const epochs of [0, 1])
    assert.deepEqual(await fieldsOf(runs.trainReference(creation({epochs}))), ['spec.epochs']);
  assert.deepEqual(await fieldsOf(runs.trainReference(creation({}, {id: 'a'.repeat(64)}))), ['run_id']);
  assert.equal((await runs.trainReference(creation({}, {id: 'a'.repeat(63)}))).id.length, 63);
});

test('a model or dataset that is not there is NOT_FOUND, a folder without weights is MODEL_INVALID', async t => {
  const options = await runsOptions(await temporaryFolder(t));
  const runs = await openRuns(t, options);
  await importPets(runs);
  const reject = (spec: object, code: string, reason: string) =>
    assert.rejects(runs.trainReference(creation(spec)), (error: FtftError) => {
      assert.deepEqual([error.code, error.details.reason], [code, reason]);
      return true;
    });
  await reject({dataset: 'none'}, 'NOT_FOUND', 'DATASET_NOT_FOUND');
  await reject({model: 'local:none'}, 'NOT_FOUND', 'MODEL_NOT_FOUND');
  mkdirSync(join(options.modelDir, 'empty'));
  await reject({model: 'local:empty'}, 'FAILED_PRECONDITION', 'MODEL_INVALID');
  assert.deepEqual(await fieldsOf(runs.trainReference(creation({model: 'no model'}))), ['spec.model']);
  assert.deepEqual(await fieldsOf(runs.trainReference(creation({layers: 2}))), ['spec.layers']);
});

test('one request id makes one run; with another request it is REQUEST_ID_REUSED, and a taken name is RUN_EXISTS', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  const request = {id: 'request', digest: 'a'};
  const made = await Promise.all([1, 2, 3].map(() => runs.trainReference(creation({}, {request}))));
  assert.equal(new Set(made.map(({id}) => id)).size, 1);
  assert.equal((await runs.listRuns({pageSize: 0, pageToken: ''})).runs.length, 1);
  await runs.cancelRun(made[0].id, '');
  assert.equal((await runs.trainReference(creation({}, {request}))).state, 'CANCELLED', 'the run as it is now');
  const other = runs.trainReference(creation({}, {request: {id: 'request', digest: 'b'}}));
  await assert.rejects(other, {code: 'INVALID_ARGUMENT', details: {reason: 'REQUEST_ID_REUSED'}});
  const taken = runs.trainReference(creation({}, {id: made[0].id, request: {id: 'new', digest: 'a'}}));
  await assert.rejects(taken, {
    code: 'ALREADY_EXISTS',
    details: {reason: 'RUN_EXISTS', resource: {type: 'Run', name: `runs/${made[0].id}`}},
  });
});

test('validate_only checks everything and keeps nothing', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  const run = await runs.trainReference(creation({}, {id: 'dry', validateOnly: true}));
  assert.equal(run.spec.warmupRatio, 0.1);
  await assert.rejects(runs.getRun('dry'), {
    code: 'NOT_FOUND',
    details: {reason: 'RUN_NOT_FOUND', resource: {type: 'Run', name: 'runs/dry'}},
  });
});

test('a full queue is RESOURCE_EXHAUSTED/QUEUE_FULL until a run ends', async t => {
  const runs = await openRuns(t, {maxPendingRuns: 2});
  await importPets(runs);
  const [first] = [await runs.trainReference(creation()), await runs.trainReference(creation())];
  for (const validateOnly of [false, true])
    await assert.rejects(runs.trainReference(creation({}, {validateOnly})), (error: FtftError) => {
      assert.deepEqual([error.code, error.details.reason], ['RESOURCE_EXHAUSTED', 'QUEUE_FULL']);
      assert.ok(error.details.retryAfterMs! > 0);
      return true;
    });
  await runs.cancelRun(first.id, '');
  assert.equal((await runs.trainReference(creation())).state, 'PENDING');
});

test('no caller fills the queue alone: one who has its share waits, while others are served', async t => {
  const runs = await openRuns(t, {maxPendingRuns: 3, maxPendingRunsPerCaller: 1});
  await importPets(runs);
  const by = (caller?: string) => runs.trainReference(creation({}, {caller}));
  const {id} = await by('token:ann');
  for (const caller of ['token:ann', 'token:ann'])
    await assert.rejects(by(caller), (error: FtftError) => {
      assert.deepEqual([error.code, error.details.reason], ['RESOURCE_EXHAUSTED', 'QUEUE_FULL']);
      assert.match(error.message, /token:ann, who has 1 unfinished runs in it of 1 at most/);
      return true;
    });
  await by('token:bob');
  await runs.cancelRun(id, '');
  await by('token:ann');
  await by(undefined);
  await assert.rejects(by(undefined), /it holds 3 unfinished runs of 3 at most/);
});

test('pairs of texts stay pairs, and two datasets may hold the same split file', async t => {
  const runs = await openRuns(t);
  const pairs =
    '{"uid": "a", "p": "the", "h": "cat", "label": "cat"}\n{"uid": "b", "p": "the", "h": "σ", "label": "dog"}\n';
  const columns = {text: 'p', textPair: 'h', label: 'label', id: 'uid'};
  const {dataset} = await runs.importDataset({...header, columns}, bytes(pairs));
  assert.ok(dataset.isTextPairs);
  for (const name of ['one', 'two']) await runs.importDataset({...header, dataset: name}, bytes(lines(4)));
  assert.equal((await runs.listDatasets({pageSize: 0, pageToken: ''})).datasets.length, 3);
});
