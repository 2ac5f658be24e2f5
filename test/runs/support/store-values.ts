// A clock that the tests of a store move, runs to put into it, and events to append.
import {randomUUID} from 'node:crypto';
import type {Sql} from '../../../src/runs/sql.js';
import type {StoredRun} from '../../../src/runs/store.js';
import type {LogEvent, RunRecord} from '../../../src/runs/types.js';

/** A clock inside the database, which all that use it share, and which the test moves. */
export const movableClock = {
  /** For the engine, instead of its own time. */
  now: '(select now from test_clock)',
  async over(sql: Sql) {
    await sql.rows('create table test_clock (now bigint not null)');
    const clock = {
      now: 1_700_000_000_000,
      async advance(milliseconds: number) {
        clock.now += milliseconds;
        await sql.run('update test_clock set now = ?', clock.now);
      },
    };
    await sql.run('insert into test_clock (now) values (?)', clock.now);
    return clock;
  },
};

export function pendingRun(id: string, spec: Partial<RunRecord['spec']> = {}): StoredRun {
  const zero = {acceleratorMs: 0, wallMs: 0, queueMs: 0, trainedInstances: 0, trainedTokens: 0, flops: 0};
  const run = {
    ...{id, uid: randomUUID(), etag: '', kind: 'REFERENCE', state: 'PENDING', attempt: 0, labels: {}, evaluations: []},
    spec: {priority: 0, maxAttempts: 3, ...spec},
    progress: {committedEpochs: 0, totalEpochs: 2, steps: 0, totalSteps: 10, keptSteps: 0, stoppedEarly: false},
    cost: {...zero, wastedAcceleratorMs: 0},
    ...{createTime: 0, updateTime: 0, queuePosition: 0},
  } as unknown as RunRecord;
  const work = {modelFolder: '/model', pendingSince: 0, keptAcceleratorMs: 0, keptEvaluations: []};
  return {run, work, lostLeases: 0};
}

export const chunk = (epoch: number, numInstances: number): LogEvent => ({
  ...{kind: 'chunk', epoch, chunkIndex: 0, firstInstance: 0, instanceCount: numInstances, numClasses: 2},
  pTrue: Float32Array.from({length: numInstances}, (_, i) => i / numInstances),
  correctBits: new Uint8Array(Math.ceil(numInstances / 8)).fill(5),
  logits: Float32Array.from({length: 2 * numInstances}, (_, i) => -i),
});
