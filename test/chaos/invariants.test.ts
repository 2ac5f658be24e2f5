// Evidence made by hand: what is whole breaks nothing, and each thing that may be wrong with it is found.
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {test} from 'node:test';
import type {LogEvent, RunRecord} from '../../src/runs/types.js';
import {StreamDynamicsResponse} from '../../src/server/gen/ftft/v1/dynamics.js';
import type {EventRow, RunRow} from './evidence.js';
import {checkLog, checkReader, checkRequests, checkStep, checkWriters, Findings} from './invariants.js';

const changed = (state: string): LogEvent => ({kind: 'run-changed', run: {state} as RunRecord});
const pTrue = Float32Array.of(0.25, 0.5);
const digest = createHash('sha256').update(new Uint8Array(pTrue.buffer)).digest('hex');
const started = (epoch: number): LogEvent => ({kind: 'epoch-started', epoch});
const chunk = (epoch: number) => ({kind: 'chunk', epoch, chunkIndex: 0, pTrue}) as unknown as LogEvent;
const committed = (epoch: number) => ({kind: 'epoch-committed', epoch, chunkCount: 1, digest}) as unknown as LogEvent;
const discarded: LogEvent = {kind: 'epochs-discarded', firstEpoch: 1, steps: 1, reason: 'WORKER_LOST'};

/** Two epochs, the second begun anew by another worker. */
const told: [number, string, LogEvent][] = [
  [0, 'api', changed('PENDING')],
  [1, 'one', changed('RUNNING')],
  [1, 'one', started(0)],
  [1, 'one', chunk(0)],
  [1, 'one', committed(0)],
  [1, 'one', started(1)],
  [1, 'two', discarded],
  [1, 'two', changed('PENDING')],
  [2, 'two', changed('RUNNING')],
  [2, 'two', started(1)],
  [2, 'two', chunk(1)],
  [2, 'two', committed(1)],
  [2, 'two', changed('SUCCEEDED')],
];
const claims = new Map([
  [1, 'one'],
  [2, 'two'],
]);
const numbered = (events: typeof told): EventRow[] =>
  events.map(([attempt, writer, event], i) => ({sequence: i + 1, attempt, event, writer}));
const row = (change: Partial<RunRow> = {}): RunRow => ({
  ...{id: 'a', requestId: 'r', state: 'SUCCEEDED', attempt: 2, nextSequence: told.length + 1},
  ...{leaseOwner: undefined, leaseMs: undefined},
  ...change,
});
const without = (i: number) => numbered(told.filter((_, j) => j !== i));

function broken(look: (findings: Findings) => void): string[] {
  const findings = new Findings();
  look(findings);
  return findings.broken;
}

test('a whole log breaks nothing', () => {
  assert.deepEqual(
    broken(findings => checkLog(findings, row(), numbered(told))),
    [],
  );
});

const wrongLogs: Record<string, [EventRow[], Partial<RunRow>?]> = {
  'a gap': [numbered(told).filter((_, i) => i !== 4)],
  'a duplicate': [numbered(told).toSpliced(4, 0, numbered(told)[4])],
  'an event too few': [numbered(told), {nextSequence: told.length + 2}],
  'an epoch that never began': [without(2), {nextSequence: told.length}],
  'an epoch that begins twice': [without(6), {nextSequence: told.length}],
  'a chunk too few': [without(10), {nextSequence: told.length}],
  'no end': [without(12), {nextSequence: told.length}],
  'another digest': [numbered(told.with(4, [1, 'one', {...committed(0), digest: 'other'} as LogEvent]))],
};
for (const [what, [events, change]] of Object.entries(wrongLogs))
  test(`a log with ${what} is found`, () => {
    assert.equal(broken(findings => checkLog(findings, row(change), events)).length, 1);
  });

test('an event of an attempt that another process claimed, or of an earlier one, is of a second writer', () => {
  const look = (events: typeof told) => broken(findings => checkWriters(findings, row(), numbered(events), claims));
  assert.deepEqual(look(told), []);
  assert.match(look(told.with(10, [2, 'one', chunk(1)]))[0], /by one, two holds the lease/);
  assert.match(look(told.with(10, [1, 'one', chunk(1)]))[0], /of attempt 1, after one of 2/);
  assert.match(look(told.toSpliced(8, 1))[0], /attempt 2 begins with epoch-started/);
});

test('a request answered with two names, with two runs, with none, and a run of nobody are found', () => {
  const look = (names: string[], rows: RunRow[]) =>
    broken(findings => checkRequests(findings, new Map([['r', names]]), rows)).length;
  assert.equal(look(['runs/a', 'runs/a'], [row()]), 0);
  assert.equal(look(['runs/a', 'runs/b'], [row()]), 1);
  assert.equal(look(['runs/a'], [row(), row({id: 'b'})]), 1);
  assert.equal(look(['runs/a'], []), 1);
  assert.equal(look(['runs/a'], [row(), row({id: 'b', requestId: 'other'})]), 1);
});

test('a run that is RUNNING without a lease, that ended twice, and that went back are found', () => {
  const look = (before: RunRow | undefined, after: RunRow) =>
    broken(findings => checkStep(findings, before, after)).length;
  const running = row({state: 'RUNNING', leaseOwner: 'one', leaseMs: 900});
  assert.equal(look(undefined, running), 0);
  assert.equal(look(running, row()), 0);
  assert.equal(look(running, {...running, state: 'SUSPENDING'}), 0);
  assert.equal(look(undefined, {...running, leaseOwner: undefined}), 1);
  assert.equal(look(undefined, {...running, leaseMs: undefined}), 1);
  assert.equal(look(undefined, {...running, state: 'PENDING'}), 1);
  assert.equal(look(row(), row({state: 'FAILED'})), 1);
  assert.equal(look(row({nextSequence: 99}), row()), 1);
  assert.equal(look(row({attempt: 3}), row()), 1);
});

test('a reader that missed a message, saw one twice or saw another is found', () => {
  const events = numbered(told);
  const whole = events.map(({sequence, attempt}) => StreamDynamicsResponse.fromPartial({sequence, attempt}));
  const look = (messages: StreamDynamicsResponse[], rows = events) =>
    broken(findings => checkReader(findings, 'a', messages, whole, rows)).length;
  assert.equal(look(whole), 0);
  assert.equal(look(whole.toSpliced(3, 1)), 1);
  assert.equal(look(whole.toSpliced(-1)), 1);
  assert.equal(look(whole.toSpliced(3, 0, whole[3])), 1);
  assert.equal(look(whole.with(3, {...whole[3], attempt: 9})), 1);
  assert.equal(look(whole, events.slice(1)), 1);
});
