import assert from 'node:assert/strict';
import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {createRuns} from '../../src/runs/create-runs.js';
import {Sqlite} from '../../src/runs/sqlite.js';
import type {RunRecord} from '../../src/runs/types.js';
import {faults} from './support/faults.js';
import {
  allEvents,
  creation,
  digests,
  importPets,
  openRuns,
  runsOptions,
  temporaryFolder,
  waitForEnd,
  waitUntil,
} from './support/open-runs.js';

const slow = creation({seed: faults.slow, epochs: 3, evaluationIntervalSteps: 4}, {id: 'run'});
const weights = (run: RunRecord): Buffer => readFileSync(join(fileURLToPath(run.modelUri!), 'model.safetensors'));

test('a run suspended inside an epoch ends as an undisturbed one does, and not an instance is trained on twice', async t => {
  const calm = await openRuns(t);
  await importPets(calm);
  calm.start();
  await calm.trainReference(slow);
  const undisturbed = await waitForEnd(calm, 'run');

  const runs = await openRuns(t);
  await importPets(runs);
  runs.start();
  await runs.trainReference(slow);
  await waitUntil(runs, 'run', ({progress}) => progress.steps > 18);
  assert.equal((await runs.suspendRun('run', '')).state, 'SUSPENDING');
  const suspended = await waitUntil(runs, 'run', ({state}) => state === 'SUSPENDED');
  assert.ok(suspended.progress.steps % 15 !== 0 && suspended.progress.committedEpochs >= 1, 'inside an epoch');
  await runs.trainReference({...slow, id: 'other', spec: {...slow.spec, seed: 1}});
  assert.equal((await waitForEnd(runs, 'other')).state, 'SUCCEEDED', 'others are trained meanwhile');
  assert.equal((await runs.getRun('run')).state, 'SUSPENDED', 'nobody takes it');
  assert.equal((await runs.resumeRun('run', '')).state, 'PENDING');
  const run = await waitForEnd(runs, 'run');
  assert.equal(run.state, 'SUCCEEDED');
  const events = await allEvents(runs, 'run');
  assert.deepEqual(digests(events), digests(await allEvents(calm, 'run')));
  assert.deepEqual(weights(run), weights(undisturbed));
  assert.deepEqual(run.evaluations, undisturbed.evaluations);
  assert.equal(run.cost.trainedInstances, undisturbed.cost.trainedInstances);
  const states = events.flatMap(({event}) => (event.kind === 'run-changed' ? [event.run.state] : []));
  const expected = ['PENDING', 'RUNNING', 'SUSPENDING', 'SUSPENDED', 'PENDING', 'RUNNING', 'SUCCEEDED'];
  assert.deepEqual(states, expected);
});

test('a checkpoint is made at its interval inside an epoch, and the next worker goes on from there', async t => {
  const options = {...(await runsOptions(await temporaryFolder(t))), checkpointMs: 1};
  const before = await createRuns(options);
  await importPets(before);
  before.start();
  await before.trainReference(slow);
  await waitUntil(before, 'run', ({progress}) => progress.steps > 3);
  process.kill(before.trainerPid()!, 'SIGKILL');
  const {progress} = await waitUntil(before, 'run', ({state, attempt}) => state === 'PENDING' || attempt > 1);
  assert.ok(progress.steps > 0, 'what was checkpointed stays');
  await waitForEnd(before, 'run');
  await before.close({graceMs: 0});
});

test('a pending run is suspended at once, a suspended one may be cancelled, and one that has ended is neither', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  await runs.trainReference(slow);
  assert.equal((await runs.suspendRun('run', '')).state, 'SUSPENDED');
  await assert.rejects(runs.resumeRun('run', 'stale'), {code: 'ABORTED'});
  assert.equal((await runs.resumeRun('run', '')).queuePosition, 1);
  await runs.suspendRun('run', '');
  assert.equal((await runs.cancelRun('run', '')).state, 'CANCELLED');
  for (const [verb, reason] of [
    ['suspendRun', 'RUN_NOT_SUSPENDABLE'],
    ['resumeRun', 'RUN_NOT_RESUMABLE'],
  ] as const)
    await assert.rejects(runs[verb]('run', ''), {
      code: 'FAILED_PRECONDITION',
      details: {reason, resource: {type: 'Run', name: 'runs/run'}},
    });
});

test('a run is deleted with its log and its files once it has ended; its map stays, and keeps the name', async t => {
  const options = await runsOptions(await temporaryFolder(t));
  const runs = await createRuns(options);
  t.after(() => runs.close({graceMs: 0}));
  await importPets(runs);
  const any = {etag: '', allowMissing: false};
  await runs.trainReference(creation({epochs: 2}, {id: 'run'}));
  await assert.rejects(runs.deleteRun('run', any), {
    code: 'FAILED_PRECONDITION',
    details: {reason: 'RUN_NOT_TERMINAL', resource: {type: 'Run', name: 'runs/run'}},
  });
  runs.start();
  const run = await waitForEnd(runs, 'run');
  const map = await runs.buildDataMap({id: 'map', run: 'run', validateOnly: false});
  await runs.buildDataMap({id: 'second', run: 'run', validateOnly: false, burnOut: 2, metrics: ['loss']});
  const columns = await runs.readDataMap('map');
  await assert.rejects(runs.deleteRun('run', {...any, etag: 'stale'}), /etag must be/);
  await runs.deleteRun('run', any);
  await assert.rejects(runs.getRun('run'), {code: 'NOT_FOUND'});
  await assert.rejects(runs.deleteRun('run', any), {code: 'NOT_FOUND'});
  await runs.deleteRun('run', {...any, allowMissing: true});
  assert.ok(!existsSync(join(options.dataDir, 'runs', run.uid)));
  const sqlite = new Sqlite(join(options.dataDir, 'ftft.db'));
  assert.deepEqual(await sqlite.rows('select count(*) as count from events'), [{count: 0}]);
  await sqlite.close();
  assert.deepEqual(await runs.readDataMap('map'), columns);
  assert.deepEqual(await runs.getDataMap('map'), map);
  await assert.rejects(
    runs.trainReference(creation({epochs: 2}, {id: 'run'})),
    /dataMaps\/\w+ was made of a run of this name, which was deleted/,
  );

  const page = {pageSize: 1, pageToken: ''};
  const first = await runs.listDataMaps(page);
  assert.deepEqual(
    first.dataMaps.map(({id}) => id),
    ['second'],
    'newest first',
  );
  const last = await runs.listDataMaps({...page, pageToken: first.nextPageToken}, 'run');
  assert.deepEqual(last, {dataMaps: [map], nextPageToken: ''});
  assert.deepEqual(await runs.listDataMaps(page, 'other'), {dataMaps: [], nextPageToken: ''});
});

test('a reader that follows a run which is deleted hears that it is gone', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  runs.start();
  await runs.trainReference(creation({epochs: 2}, {id: 'run'}));
  await waitForEnd(runs, 'run');
  const reader = runs.events('run', {start: {sequence: 1}, signal: AbortSignal.timeout(30_000)});
  assert.notEqual((await reader.next()).value, undefined);
  await runs.deleteRun('run', {etag: '', allowMissing: false});
  const rest = async () => {
    for await (const _ of reader);
  };
  await assert.rejects(rest(), {code: 'NOT_FOUND'});
});
