import assert from 'node:assert/strict';
import {test} from 'node:test';
import {invalidFields} from '../../src/errors.js';
import type {Creation} from '../../src/runs/api.js';
import {ListRunsResponse} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {Precision, Run_Kind, Run_State} from '../../src/server/gen/ftft/v1/run.js';
import {runRecord, time, uid} from './records.js';
import {detail, errorOf, reasonOf, startTestServer, type TestServer} from './start-test-server.js';

const requestId = '8c1c7d1e-6f6c-4a53-9f3e-0a4a1f5f9b01';
const spec = {dataset: 'datasets/movies', model: 'minilm-l6', layers: 3, seed: 7, warmupRatio: 0};
const lastCall = ({runs}: TestServer) => runs.calls.at(-1) as Creation & {spec: {precision?: string}};

test('TrainReference hands on what was set and leaves defaults to runs', async t => {
  const server = await startTestServer(t);
  const {run} = await server.client.trainReference({
    runId: 'ref',
    spec: {...spec, executionTimeout: {seconds: 3_000_000, nanos: 500_000_000}},
    labels: {team: 'nlp'},
  });
  const {request, ...creation} = lastCall(server);
  assert.deepEqual(creation, {
    id: 'ref',
    spec: {
      dataset: 'movies',
      model: 'minilm-l6',
      layers: 3,
      warmupRatio: 0,
      seed: 7,
      executionTimeoutMs: 3_000_000_500,
    },
    labels: {team: 'nlp'},
    validateOnly: false,
    wantsEstimate: false,
    traceParent: undefined,
    caller: undefined,
  });
  assert.equal(run?.name, 'runs/ref');
});

test('a run is read with all its fields', async t => {
  const {client, runs} = await startTestServer(t);
  runs.records.set(
    'main',
    runRecord('main', {
      kind: 'MAIN',
      state: 'FAILED',
      dataMap: 'map',
      attempt: 2,
      progress: {
        ...{committedEpochs: 1, totalEpochs: 2, steps: 10, totalSteps: 20, keptSteps: 10, stoppedEarly: false},
        ...{estimatedRemainingMs: 2500, trainLoss: 0.25},
      },
      error: {code: 'FAILED_PRECONDITION', message: 'the loss is NaN', reason: 'LOSS_NOT_FINITE'},
      modelUri: 'file:///models/main',
      startTime: time + 1,
      endTime: time + 2,
    }),
  );
  const run = await client.getRun({name: 'runs/main'});
  assert.equal(run.kind, Run_Kind.KIND_MAIN);
  assert.equal(run.state, Run_State.STATE_FAILED);
  assert.equal(run.uid, uid);
  assert.equal(run.dataMap, 'dataMaps/map');
  assert.equal(run.spec?.dataset, 'datasets/movies');
  assert.equal(run.spec?.precision, Precision.PRECISION_FLOAT32);
  assert.deepEqual(run.spec?.executionTimeout, {seconds: 1, nanos: 500_000_000});
  assert.deepEqual(run.progress?.estimatedRemaining, {seconds: 2, nanos: 500_000_000});
  assert.equal(run.progress?.trainLoss, 0.25);
  assert.equal(run.error?.code, 9);
  assert.equal(run.error?.details[0].typeUrl, 'type.googleapis.com/google.rpc.ErrorInfo');
  assert.ok(run.error?.details[0].value.includes('LOSS_NOT_FINITE'));
  assert.equal(run.endTime?.getTime(), time + 2);
  assert.equal(run.expireTime, undefined);
});

test('equal requests have equal digests, whatever the order of labels; other requests do not', async t => {
  const server = await startTestServer(t);
  const digestOf = async (changes: object) => {
    await server.client.trainReference({spec, requestId, ...changes});
    return lastCall(server).request?.digest;
  };
  const digest = await digestOf({labels: {a: '1', b: '2'}});
  assert.match(digest ?? '', /^[0-9a-f]{64}$/);
  assert.equal(await digestOf({labels: {b: '2', a: '1'}}), digest);
  assert.equal(await digestOf({labels: {b: '2', a: '1'}, requestId: requestId.toUpperCase()}), digest);
  assert.equal(lastCall(server).request?.id, requestId);
  assert.notEqual(await digestOf({labels: {a: '1', b: '3'}}), digest);
  await server.client.trainReference({spec});
  assert.equal(lastCall(server).request, undefined);
});

test('a request with a run_id alone is idempotent too, and a name taken by another one is RUN_EXISTS', async t => {
  const server = await startTestServer(t);
  await server.client.trainReference({spec, runId: 'ref'});
  assert.equal(lastCall(server).request?.id, 'named:TrainReference/ref');
  const reuse = Object.assign(invalidFields('x', []), {details: {reason: 'REQUEST_ID_REUSED'}});
  server.runs.faults.set('trainReference', reuse);
  const error = await errorOf(server.client.trainReference({spec, runId: 'ref'}));
  assert.equal(reasonOf(error), 'RUN_EXISTS');
  assert.equal(detail(error, 'google.rpc.ResourceInfo')?.resourceName, 'runs/ref');
});

test('violations of the shape and of the values come together', async t => {
  const {client, runs} = await startTestServer(t);
  const inRuns = [{field: 'spec.epochs', description: 'must be at least 2'}];
  runs.faults.set('trainReference', invalidFields('Cannot train', inRuns));
  const labels = Object.fromEntries(Array.from({length: 65}, (_, i) => [`k${i}`, '']));
  const error = await errorOf(
    client.trainReference({
      runId: '-a',
      requestId: 'x',
      labels,
      spec: {dataset: 'movies', precision: 9 as Precision, epochs: 1},
    }),
  );
  const fields = detail(error, 'google.rpc.BadRequest')?.fieldViolations.map(({field}) => field);
  assert.deepEqual(fields?.sort(), [
    'labels',
    'request_id',
    'run_id',
    'spec.dataset',
    'spec.epochs',
    'spec.model',
    'spec.precision',
  ]);
  assert.equal(runs.records.size, 0);
});

test('the precision that was asked for is handed on; unset leaves it to the default', async t => {
  const server = await startTestServer(t);
  const asked = async (precision?: Precision) => {
    await server.client.trainReference({spec: {...spec, precision}});
    return lastCall(server).spec.precision;
  };
  assert.equal(await asked(Precision.PRECISION_BFLOAT16), 'BFLOAT16');
  assert.equal(await asked(Precision.PRECISION_FLOAT32), 'FLOAT32');
  assert.equal(await asked(), undefined);
});

test('a filter chooses among runs, and one that says nothing is refused before anything is read', async t => {
  const {client, runs} = await startTestServer(t);
  runs.records.set('a', runRecord('a', {labels: {team: 'nlp'}}));
  runs.records.set('b', runRecord('b', {labels: {team: 'vision'}}));
  const {runs: found} = await client.listRuns({filter: 'labels.team = nlp'});
  assert.deepEqual(
    found.map(({name}) => name),
    ['runs/a'],
  );
  const error = await errorOf(client.listRuns({filter: 'state = '}));
  assert.equal(error.code, 3);
  const [violation] = detail(error, 'google.rpc.BadRequest')?.fieldViolations ?? [];
  assert.deepEqual([violation.field, violation.description], ['filter', 'must have a value, found its end']);
  assert.equal(runs.calls.length, 1);
});

test('validate_only reaches runs', async t => {
  const server = await startTestServer(t);
  await server.client.trainReference({spec, validateOnly: true});
  assert.equal(lastCall(server).validateOnly, true);
  assert.equal(server.runs.records.size, 0);
});

test('WaitRun returns when the etag changes, and at its timeout', async t => {
  const {client, runs} = await startTestServer(t);
  runs.records.set('ref', runRecord('ref'));
  const waiting = client.waitRun({name: 'runs/ref', etag: 'e1'});
  setTimeout(() => runs.append('ref', {kind: 'run-changed', run: runRecord('ref', {etag: 'e2'})}), 30);
  assert.equal((await waiting).etag, 'e2');
  const timeout = {seconds: 0, nanos: 50_000_000};
  assert.equal((await client.waitRun({name: 'runs/ref', etag: 'e2', timeout})).etag, 'e2');
  assert.equal((await client.waitRun({name: 'runs/ref', etag: 'other', timeout: {seconds: 60}})).etag, 'e2');
});

test('CancelRun, SuspendRun, ResumeRun, DeleteRun and ListRuns reach runs', async t => {
  const {client, runs} = await startTestServer(t);
  runs.records.set('ref', runRecord('ref'));
  assert.equal((await client.cancelRun({name: 'runs/ref', etag: 'e1'})).name, 'runs/ref');
  assert.deepEqual(runs.calls, [{id: 'ref', etag: 'e1'}]);
  await client.suspendRun({name: 'runs/ref', etag: 'e2'});
  await client.resumeRun({name: 'runs/ref'});
  await client.deleteRun({name: 'runs/ref', etag: 'e3', allowMissing: true});
  assert.deepEqual(runs.calls.slice(1), [
    {suspend: 'ref', etag: 'e2'},
    {resume: 'ref', etag: ''},
    {delete: 'ref', etag: 'e3', allowMissing: true},
  ]);
  assert.deepEqual(
    (await client.listRuns({})).runs.map(({name}) => name),
    ['runs/ref'],
  );
});

test('a page of large records holds fewer of them, so that its message stays under 256 KiB', async t => {
  const {client, runs} = await startTestServer(t);
  const labels = Object.fromEntries(Array.from({length: 64}, (_, i) => [`key-${i}`.padEnd(63, 'k'), 'v'.repeat(63)]));
  const all = Array.from({length: 200}, (_, i) => runRecord(`run-${i}`, {labels}));
  t.mock.method(runs, 'listRuns', async ({pageSize, pageToken}: {pageSize: number; pageToken: string}) => {
    const first = Number(pageToken || 0);
    const end = Math.min(all.length, first + pageSize);
    return {runs: all.slice(first, end), nextPageToken: end < all.length ? String(end) : ''};
  });
  const names: string[] = [];
  let pageToken = '';
  do {
    const page = await client.listRuns({pageSize: 1000, pageToken});
    assert.ok(ListRunsResponse.encode(page).finish().length <= 256 * 1024);
    names.push(...page.runs.map(({name}) => name));
    pageToken = page.nextPageToken;
  } while (pageToken);
  assert.deepEqual(
    names,
    all.map(({id}) => `runs/${id}`),
  );
});
