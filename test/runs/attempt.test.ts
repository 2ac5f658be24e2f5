import assert from 'node:assert/strict';
import {test} from 'node:test';
import {Attempt, type AttemptContext} from '../../src/runs/attempt.js';
import type {DiskReserve} from '../../src/runs/disk-reserve.js';
import {silent} from '../../src/runs/logger.js';
import type {Store} from '../../src/runs/store.js';
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
