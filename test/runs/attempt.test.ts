import assert from 'node:assert/strict';
import {test} from 'node:test';
import {Attempt, type AttemptContext} from '../../src/runs/attempt.js';
import type {DiskReserve} from '../../src/runs/disk-reserve.js';
import {silent} from '../../src/runs/logger.js';
import type {Change, Store, StoredRun} from '../../src/runs/store.js';
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
    ...{logger: silent, leaseMs: 1500, trainerEntry: '', onAppended() {}, onStep() {}},
  } satisfies AttemptContext);
  attempt.drain(0);
  await assert.doesNotReject(attempt.run(async () => refuse()));
});

test('an execution timeout longer than a timer can wait for ends the run at its time and not before', async t => {
  t.mock.timers.enable({apis: ['setTimeout', 'Date'], now: 0});
  const run = runRecord('run', {state: 'RUNNING', startTime: 0});
  const longest = 2 ** 31 - 1;
  const work = {modelFolder: '', pendingSince: 0, keptAcceleratorMs: 0, keptEvaluations: []};
  const spec = {...run.spec, executionTimeoutMs: longest + 1000};
  const stored = {run: {...run, spec}, work, lostLeases: 0};
  const states: string[] = [];
  const append = (_lease: unknown, change: (before: StoredRun) => Change) => {
    states.push(change(stored).stored.run.state);
    return [];
  };
  const attempt = new Attempt(stored, {
    store: {runs: {get: () => stored}, leases: {renew: () => 'RUNNING'}, log: {append}} as unknown as Store,
    reserve: {} as DiskReserve,
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
  assert.deepEqual(states, []);
  t.mock.timers.tick(1000);
  assert.deepEqual(states, ['CANCELLING']);
  fail();
  await done;
});
