import assert from 'node:assert/strict';
import {test} from 'node:test';
import {FtftError} from '../../src/errors.js';
import type {RunFiles} from '../../src/runs/artifacts.js';
import {Attempt, type AttemptContext} from '../../src/runs/attempt.js';
import type {DiskReserve} from '../../src/runs/disk-reserve.js';
import {silent} from '../../src/runs/logger.js';
import {preparedUnlessStopped} from '../../src/runs/prepare-attempt.js';
import type {RunState} from '../../src/runs/run-state.js';
import type {MakeChange, Store} from '../../src/runs/store.js';
import {runRecord} from '../server/records.js';

test('an attempt on a disk that takes nothing and gives nothing back ends without an error', async () => {
  const work = {modelFolder: '', pendingSince: 0, keptAcceleratorMs: 0, keptEvaluations: []};
  const stored = {run: runRecord('run', {state: 'RUNNING'}), work, lostLeases: 0};
  const refuse = () => {
    throw Object.assign(new Error('EROFS: read-only file system'), {code: 'EROFS'});
  };
  const store = {runs: {get: () => stored}, leases: {renew: () => 'RUNNING'}, log: {append: refuse}};
  const attempt = new Attempt(stored, {
    store: store as unknown as Store,
    reserve: {release: async () => refuse()} as unknown as DiskReserve,
    files: {forget: async () => {}} as unknown as RunFiles,
    ...{logger: silent, leaseMs: 1500, trainerEntry: '', onAppended() {}, onStep() {}},
  } satisfies AttemptContext);
  attempt.drain(0);
  await assert.doesNotReject(attempt.run(async () => refuse()));
});

test('an execution timeout longer than a timer can wait for ends the run at its time and not before', async t => {
  t.mock.timers.enable({apis: ['setTimeout', 'Date'], now: 0});
  // It has run for a second already, by the store's times.
  const run = runRecord('run', {state: 'RUNNING', startTime: 5000, updateTime: 6000});
  const longest = 2 ** 31 - 1;
  const work = {modelFolder: '', pendingSince: 0, keptAcceleratorMs: 0, keptEvaluations: []};
  const spec = {...run.spec, executionTimeoutMs: longest + 2000};
  const stored = {run: {...run, spec}, work, lostLeases: 0};
  const states: string[] = [];
  const append = async (_lease: unknown, change: MakeChange) => {
    states.push(change(stored, 0).stored.run.state);
    return [];
  };
  const attempt = new Attempt(stored, {
    store: {runs: {get: () => stored}, leases: {renew: () => 'RUNNING'}, log: {append}} as unknown as Store,
    reserve: {} as DiskReserve,
    files: {forget: async () => {}} as unknown as RunFiles,
    ...{logger: silent, leaseMs: 1500, trainerEntry: '', onAppended() {}, onStep() {}},
  });
  let fail = () => {};
  const done = attempt.run(
    () =>
      new Promise((_, reject) => {
        fail = () => reject(new Error('over'));
      }),
  );
  t.mock.timers.tick(longest);
  await new Promise(resolve => setImmediate(resolve));
  assert.deepEqual(states, []);
  t.mock.timers.tick(1000);
  await new Promise(resolve => setImmediate(resolve));
  assert.equal(states[0], 'CANCELLING');
  fail();
  await done;
});

const work = {modelFolder: '', pendingSince: 0, keptAcceleratorMs: 0, keptEvaluations: []};

/** An attempt whose run becomes what is appended; ends with the states that it had. */
function attemptAt(state: RunState, lostLeases = 0) {
  const states: string[] = [];
  const errors: (string | undefined)[] = [];
  const stored = {run: runRecord('run', {state}), work, lostLeases};
  const append = async (_lease: unknown, change: MakeChange) => {
    const {run} = change(stored, 0).stored;
    states.push(run.state);
    errors.push(run.error?.reason);
    return [];
  };
  const runs = {get: () => stored};
  const attempt = new Attempt(stored, {
    store: {runs, leases: {renew: () => state}, log: {append}} as unknown as Store,
    reserve: {} as DiskReserve,
    files: {forget: async () => {}} as unknown as RunFiles,
    ...{logger: silent, leaseMs: 300, trainerEntry: '', onAppended() {}, onStep() {}},
  });
  return {attempt, states, errors};
}

test('a worker that stops, and a run that is cancelled, do not wait for what is still being fetched', async () => {
  const drained = attemptAt('RUNNING');
  const done = drained.attempt.run(() => new Promise(() => {}));
  drained.attempt.drain(60_000);
  await done;
  assert.deepEqual(drained.states, ['PENDING']);
  const cancelled = attemptAt('CANCELLING');
  await cancelled.attempt.run(() => new Promise(() => {}));
  assert.deepEqual(cancelled.states, ['CANCELLED']);
});

test('a hub that is away for a while costs the attempt, and the run only where no attempt is left', async t => {
  const away = async () => {
    throw new FtftError('UNAVAILABLE', 'Cannot fetch the model', {reason: 'HUB_UNAVAILABLE', retryAfterMs: 1});
  };
  let numTries = 0;
  const back = async () => (++numTries < 3 ? away() : (undefined as never));
  const patient = new AbortController().signal;
  await preparedUnlessStopped(back, patient, patient);
  assert.equal(numTries, 3);
  // Every look at the clock is a minute later.
  let minutes = 0;
  t.mock.method(performance, 'now', () => 60_000 * minutes++);
  const first = attemptAt('RUNNING');
  await first.attempt.run(away);
  assert.deepEqual([first.states, first.errors], [['PENDING'], [undefined]]);
  const last = attemptAt('RUNNING', runRecord('run', {}).spec.maxAttempts - 1);
  await last.attempt.run(away);
  assert.deepEqual([last.states, last.errors], [['FAILED'], ['HUB_UNAVAILABLE']]);
});
