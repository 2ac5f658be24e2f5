import assert from 'node:assert/strict';
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {setTimeout as wait} from 'node:timers/promises';
import {createRuns} from '../../src/runs/create-runs.js';
import type {Logger} from '../../src/runs/logger.js';
import {isTerminal, mayBecome, type RunState} from '../../src/runs/run-state.js';
import {Sqlite} from '../../src/runs/sqlite.js';
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

const slow = creation({seed: faults.slow, epochs: 20}, {id: 'run'});

test('terminal states lead nowhere, and a state follows only those of the table', () => {
  const states: RunState[] = ['PENDING', 'RUNNING', 'CANCELLING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'SUSPENDED'];
  const terminal: RunState[] = ['SUCCEEDED', 'FAILED', 'CANCELLED'];
  for (const from of states) {
    assert.equal(isTerminal(from), terminal.includes(from));
    for (const to of states) if (isTerminal(from)) assert.ok(!mayBecome(from, to));
  }
  assert.ok(
    mayBecome('RUNNING', 'PENDING') && !mayBecome('CANCELLING', 'PENDING') && !mayBecome('PENDING', 'SUCCEEDED'),
  );
});

test('a running run is cancelled within a batch; its committed epochs stay, and cancelling again is no error', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  runs.start();
  await runs.trainReference(slow);
  const {etag} = await waitUntil(runs, 'run', ({progress}) => progress.committedEpochs > 0);
  await assert.rejects(runs.cancelRun('run', 'stale'), {
    code: 'ABORTED',
    details: {reason: 'ETAG_MISMATCH', resource: {type: 'Run', name: 'runs/run'}},
  });
  const began = performance.now();
  assert.equal((await runs.cancelRun('run', (await runs.getRun('run')).etag)).state, 'CANCELLING');
  assert.equal((await runs.cancelRun('run', '')).state, 'CANCELLING');
  const run = await waitForEnd(runs, 'run');
  assert.ok(performance.now() - began < 1000);
  assert.notEqual(run.etag, etag);
  assert.equal(run.state, 'CANCELLED');
  assert.equal(run.error?.reason, 'CANCELLED_BY_CALLER');
  assert.equal((await runs.cancelRun('run', '')).state, 'CANCELLED');
  const events = await allEvents(runs, 'run');
  assert.equal(digests(events).length, run.progress.committedEpochs);
  const states = events.flatMap(({event}) => (event.kind === 'run-changed' ? [event.run.state] : []));
  assert.deepEqual(states, ['PENDING', 'RUNNING', 'CANCELLING', 'CANCELLED']);
});

test('a worker with two accelerators trains two runs at once, by priority, and the third when one is free', async t => {
  const runs = await openRuns(t, {accelerators: [undefined, undefined]});
  await importPets(runs);
  for (const [id, priority] of [
    ['low', -1],
    ['first', 0],
    ['urgent', 1],
  ] as const)
    await runs.trainReference({...slow, id, spec: {...slow.spec, priority}});
  runs.start();
  const both = await waitUntil(runs, 'first', ({progress}) => progress.steps > 3);
  const urgent = await waitUntil(runs, 'urgent', ({progress}) => progress.steps > 3);
  assert.deepEqual([both.state, urgent.state], ['RUNNING', 'RUNNING']);
  assert.equal((await runs.getRun('low')).queuePosition, 1);
  assert.ok((await runs.getRun('urgent')).startTime! <= both.startTime!);
  await runs.cancelRun('first', '');
  await waitUntil(runs, 'low', ({state}) => state === 'RUNNING');
  for (const id of ['low', 'urgent']) await runs.cancelRun(id, '');
  for (const id of ['low', 'urgent']) await waitForEnd(runs, id);
});

test('a pending run is cancelled at once', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  await runs.trainReference(slow);
  const run = await runs.cancelRun('run', '');
  assert.equal(run.state, 'CANCELLED');
  assert.equal(run.queuePosition, 0);
  runs.start();
  assert.equal((await allEvents(runs, 'run')).length, 2);
});

test('a run may be called error', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  await runs.trainReference(creation({epochs: 2}, {id: 'error'}));
  runs.start();
  assert.equal((await waitForEnd(runs, 'error')).state, 'SUCCEEDED');
});

test('a run that ends while nobody holds it, cancelled or with its last worker lost, leaves no checkpoint', async t => {
  for (const end of ['CANCELLED', 'FAILED']) {
    const options = await runsOptions(await temporaryFolder(t));
    const before = await createRuns(options);
    await importPets(before);
    before.start();
    await before.trainReference(slow);
    const {uid} = await waitUntil(before, 'run', ({progress}) => progress.committedEpochs > 0);
    await before.close({graceMs: 5000});
    const left = () => readdirSync(join(options.dataDir, 'runs', uid));
    assert.match(left().join(), /^checkpoint-attempt-1-step-\d+.safetensors$/);
    if (end === 'FAILED') {
      const sqlite = new Sqlite(join(options.dataDir, 'ftft.db'));
      await sqlite.run(
        `update runs set state = 'RUNNING', lease_owner = 'elsewhere~1~a', lease_until = 1, lost_leases = 2`,
      );
      await sqlite.close();
    }
    const after = await createRuns(options);
    t.after(() => after.close({graceMs: 0}));
    if (end === 'CANCELLED') await after.cancelRun('run', '');
    else after.start();
    assert.equal((await waitForEnd(after, 'run')).state, end);
    for (let tries = 0; left().length > 0; tries++) {
      assert.ok(tries < 100, left().join());
      await wait(20);
    }
  }
});

test('a run that has ended by itself cannot be cancelled', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  runs.start();
  await runs.trainReference(creation({epochs: 2}, {id: 'run'}));
  await waitForEnd(runs, 'run');
  await assert.rejects(runs.cancelRun('run', ''), {
    code: 'FAILED_PRECONDITION',
    details: {reason: 'RUN_NOT_CANCELLABLE', resource: {type: 'Run', name: 'runs/run'}},
  });
});

test('a run that takes longer than its execution timeout is cancelled with that reason', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  runs.start();
  await runs.trainReference(creation({...slow.spec, executionTimeoutMs: 1500}, {id: 'run'}));
  const run = await waitForEnd(runs, 'run');
  assert.equal(run.state, 'CANCELLED');
  assert.deepEqual([run.error?.code, run.error?.reason], ['DEADLINE_EXCEEDED', 'EXECUTION_TIMEOUT']);
  assert.ok(run.cost.wallMs >= 1500, `${run.cost.wallMs} ms`);
  assert.ok(run.progress.steps < run.progress.totalSteps);
});

test('what goes wrong in a trainer fails its run with a reason, and the next run is served', async t => {
  const logged: object[] = [];
  const keep = (fields: object) => logged.push(fields);
  const logger: Logger = {info() {}, warn: keep, error: keep};
  const runs = await openRuns(t, {logger});
  await importPets(runs);
  runs.start();
  const outcome = async (id: string, seed: number) => {
    await runs.trainReference(creation({seed}, {id}));
    const {state, error} = await waitForEnd(runs, id);
    return [state, error?.code, error?.reason, error?.message ?? ''] as const;
  };
  assert.deepEqual((await outcome('nan', faults.notFinite)).slice(0, 3), [
    'FAILED',
    'FAILED_PRECONDITION',
    'LOSS_NOT_FINITE',
  ]);
  assert.deepEqual((await outcome('oom', faults.outOfMemory)).slice(0, 3), [
    'FAILED',
    'RESOURCE_EXHAUSTED',
    'OUT_OF_MEMORY',
  ]);
  assert.deepEqual((await outcome('full', faults.diskFull)).slice(0, 3), ['FAILED', 'RESOURCE_EXHAUSTED', 'DISK_FULL']);
  const bug = await outcome('bug', faults.bug);
  assert.deepEqual(bug.slice(0, 3), ['FAILED', 'INTERNAL', 'UNEXPECTED']);
  assert.doesNotMatch(bug[3], /a bug in a step/, 'the stack is for the log alone');
  assert.match(JSON.stringify(logged), /a bug in a step.*fake-trainer/);
  assert.equal((await outcome('fine', 1))[0], 'SUCCEEDED');
});

test('a run whose worker dies at every attempt fails with WORKER_LOST once its attempts are spent', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  runs.start();
  await runs.trainReference(creation({seed: faults.dies, maxAttempts: 2}, {id: 'run'}));
  const run = await waitForEnd(runs, 'run');
  assert.deepEqual([run.state, run.attempt, run.error?.reason], ['FAILED', 2, 'WORKER_LOST']);
  const events = await allEvents(runs, 'run');
  const discards = events.flatMap(({attempt, event}) =>
    event.kind === 'epochs-discarded' ? [[attempt, event.firstEpoch, event.steps, event.reason]] : [],
  );
  assert.deepEqual(discards, [
    [1, 0, 0, 'WORKER_LOST'],
    [2, 0, 0, 'WORKER_LOST'],
  ]);
  assert.equal(run.cost.wastedAcceleratorMs, run.cost.acceleratorMs);
  assert.equal(run.progress.steps, 0);
});

test('a server that drains begins no other run, while the run at work goes on', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  runs.start();
  await runs.trainReference(creation({epochs: 3}, {id: 'first'}));
  await waitUntil(runs, 'first', ({state}) => state === 'RUNNING');
  runs.stopClaiming();
  await runs.trainReference(creation({}, {id: 'second'}));
  assert.equal((await waitForEnd(runs, 'first')).state, 'SUCCEEDED');
  await wait(700); // Longer than the third of a lease after which the queue is looked at.
  assert.equal((await runs.getRun('second')).state, 'PENDING');
});

test('a server that closes hands its run back; the next one goes on from the last committed epoch and counts no loss', async t => {
  const options = await runsOptions(await temporaryFolder(t));
  const first = await createRuns(options);
  await importPets(first);
  first.start();
  await first.trainReference(creation({seed: faults.slow, epochs: 4, maxAttempts: 1}, {id: 'run'}));
  await waitUntil(first, 'run', ({progress}) => progress.committedEpochs > 0);
  const began = performance.now();
  await first.close({graceMs: 10_000});
  assert.ok(performance.now() - began < 2000);

  const second = await createRuns(options);
  t.after(() => second.close({graceMs: 0}));
  const {state, attempt, progress} = await second.getRun('run');
  assert.deepEqual([state, attempt], ['PENDING', 1]);
  assert.equal(progress.steps, 15 * progress.committedEpochs);
  second.start();
  const run = await waitForEnd(second, 'run');
  assert.deepEqual([run.state, run.attempt], ['SUCCEEDED', 2]);
  assert.equal(digests(await allEvents(second, 'run')).length, 4);
  assert.ok(existsSync(join(options.dataDir, 'runs', run.uid, 'model')));
});

test('a checkpoint that was damaged is not trained on: the run fails with CHECKPOINT_CORRUPT', async t => {
  const options = await runsOptions(await temporaryFolder(t));
  const first = await createRuns(options);
  await importPets(first);
  first.start();
  const {uid} = await first.trainReference(slow);
  await waitUntil(first, 'run', ({progress}) => progress.committedEpochs > 0);
  await first.close({graceMs: 10_000});
  const folder = join(options.dataDir, 'runs', uid);
  const [checkpoint, ...others] = readdirSync(folder);
  assert.deepEqual(others, [], 'only the last checkpoint is kept');
  const bytes = readFileSync(join(folder, checkpoint));
  bytes[bytes.length - 1] ^= 1;
  writeFileSync(join(folder, checkpoint), bytes);

  const second = await createRuns(options);
  t.after(() => second.close({graceMs: 0}));
  second.start();
  const run = await waitForEnd(second, 'run');
  assert.deepEqual([run.state, run.error?.reason], ['FAILED', 'CHECKPOINT_CORRUPT']);
});

test('a worker whose run was taken by another stops its trainer and writes nothing more', async t => {
  const options = await runsOptions(await temporaryFolder(t));
  const runs = await openRuns(t, options);
  await importPets(runs);
  runs.start();
  await runs.trainReference(slow);
  await waitUntil(runs, 'run', ({progress}) => progress.committedEpochs > 0);
  const pid = runs.trainerPid()!;
  const other = new Sqlite(join(options.dataDir, 'ftft.db'));
  t.after(() => other.close());
  await other.run(
    "update runs set attempt = attempt + 1, lease_owner = 'another', lease_until = ? where id = 'run'",
    2 ** 50,
  );
  const [last, {etag}] = [await runs.lastSequence('run'), await runs.getRun('run')];
  while (runs.trainerPid() === pid) await wait(20);
  assert.throws(() => process.kill(pid, 0), {code: 'ESRCH'});
  await wait(600);
  assert.deepEqual([await runs.lastSequence('run'), (await runs.getRun('run')).etag], [last, etag]);
});
