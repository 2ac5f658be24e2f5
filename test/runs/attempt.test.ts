import assert from 'node:assert/strict';
import {test} from 'node:test';
import type {RunFiles} from '../../src/runs/artifacts.js';
import {Attempt, type AttemptContext} from '../../src/runs/attempt.js';
import type {DiskReserve} from '../../src/runs/disk-reserve.js';
import {silent} from '../../src/runs/logger.js';
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
    files: {} as RunFiles,
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
    files: {} as RunFiles,
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
  assert.deepEqual(states, ['CANCELLING']);
  fail();
  await done;
});
