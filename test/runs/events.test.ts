import assert from 'node:assert/strict';
import {join} from 'node:path';
import {test} from 'node:test';
import type {EventRange} from '../../src/runs/api.js';
import {createRuns, type RunsWithLife} from '../../src/runs/create-runs.js';
import {readEvents} from '../../src/runs/event-reader.js';
import {lost} from '../../src/runs/run-changes.js';
import {createSqlStore} from '../../src/runs/sql-store.js';
import {Sqlite} from '../../src/runs/sqlite.js';
import type {LogEvent, StoredEvent} from '../../src/runs/types.js';
import {Wakeups} from '../../src/runs/wakeups.js';
import {faults} from './support/faults.js';
import {
  allEvents,
  creation,
  importPets,
  openRuns,
  runsOptions,
  temporaryFolder,
  waitForEnd,
  waitUntil,
} from './support/open-runs.js';
import {pendingRun} from './support/store-values.js';

const soon = () => AbortSignal.timeout(30_000);

async function finished(t: Parameters<typeof openRuns>[0]): Promise<RunsWithLife> {
  const runs = await openRuns(t);
  await importPets(runs);
  runs.start();
  await runs.trainReference(creation({}, {id: 'run'}));
  await waitForEnd(runs, 'run');
  return runs;
}

test('a reader that comes early and one that comes late see the same events, each once, and caught-up once', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  await runs.trainReference(creation({seed: faults.slow}, {id: 'run'}));
  const read = async () => {
    const seen: (StoredEvent | 'caught-up')[] = [];
    for await (const event of runs.events('run', {start: {position: 'earliest'}, signal: soon()})) seen.push(event);
    return seen;
  };
  const early = read();
  runs.start();
  await waitUntil(runs, 'run', ({progress}) => progress.committedEpochs > 0);
  const late = await read();
  const marks = [await early, late].map(seen => seen.indexOf('caught-up'));
  assert.ok(marks[0] <= 2, 'no more was stored than acceptance and start');
  assert.ok(marks[1] >= 5);
  const [first, second] = [await early, late].map(seen => seen.filter(event => event !== 'caught-up'));
  assert.deepEqual(first, second);
  assert.deepEqual(
    first.map(({sequence}) => sequence),
    first.map((_, i) => i + 1),
  );
  const last = first[first.length - 1].event;
  assert.ok(last.kind === 'run-changed' && last.run.state === 'SUCCEEDED');
  assert.equal(await runs.lastSequence('run'), first.length);
});

test('a reader that reconnects after every event while the run trains sees every event once', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  runs.start();
  await runs.trainReference(creation({seed: faults.slow}, {id: 'run'}));
  const seen: StoredEvent[] = [];
  for (let sequence = 1, isOver = false; !isOver; ) {
    isOver = true;
    for await (const event of runs.events('run', {start: {sequence}, signal: soon()})) {
      if (event === 'caught-up') continue;
      seen.push(event);
      sequence = event.sequence + 1;
      isOver = false;
      break;
    }
  }
  assert.deepEqual(seen, await allEvents(runs, 'run'));
});

test('a reader begins at the latest event, at an epoch or at the last committed one, and is told of places beyond', async t => {
  const runs = await finished(t);
  const whole = await allEvents(runs, 'run');
  const from = async (start: EventRange['start']) => {
    const seen: StoredEvent[] = [];
    for await (const event of runs.events('run', {start, signal: soon()})) if (event !== 'caught-up') seen.push(event);
    return seen;
  };
  const startOf = (epoch: number) =>
    whole.findIndex(({event}) => event.kind === 'epoch-started' && event.epoch === epoch);
  assert.deepEqual(await from({position: 'latest'}), []);
  assert.deepEqual(await from({epoch: 1}), whole.slice(startOf(1)));
  assert.deepEqual(await from({position: 'last-committed-epoch'}), whole.slice(startOf(2)));
  assert.deepEqual(await from({sequence: whole.length + 1}), []);
  const reasonOf = (start: EventRange['start']) =>
    from(start).then(
      () => '',
      error => `${error.code}/${error.details.reason}`,
    );
  assert.equal(await reasonOf({epoch: 3}), 'OUT_OF_RANGE/EPOCH_NOT_REACHED');
  assert.equal(await reasonOf({sequence: whole.length + 2}), 'OUT_OF_RANGE/OFFSET_PAST_END');
  assert.equal(await reasonOf({sequence: 0}), 'INVALID_ARGUMENT/INVALID_FIELD');
  const unknown = runs.events('none', {start: {position: 'earliest'}, signal: soon()});
  await assert.rejects(unknown.next(), {code: 'NOT_FOUND'});
});

test('an epoch that was discarded and begun again is read from its second beginning', async t => {
  const sql = new Sqlite(':memory:');
  t.after(() => sql.close());
  const store = createSqlStore(sql);
  await store.runs.insert(pendingRun('a'));
  const attempt = async () => ({runId: 'a', attempt: (await store.leases.claim('worker', 1000))!.run.attempt});
  const first = await attempt();
  const write = (lease: typeof first, ...events: LogEvent[]) => store.log.append(lease, stored => ({stored, events}));
  await write(first, {kind: 'epoch-started', epoch: 0}, {kind: 'epoch-started', epoch: 1});
  await store.log.append(first, lost);
  const read = (start: EventRange['start']) => readEvents(store, new Wakeups(), 'a', {start, signal: soon()}).next();
  await assert.rejects(read({epoch: 0}), {details: {reason: 'EPOCH_NOT_REACHED', metadata: {epoch: '0'}}});
  await write(await attempt(), {kind: 'epoch-started', epoch: 0});
  const {value} = await read({epoch: 0});
  assert.ok(value && value !== 'caught-up' && value.attempt === 2 && value.event.kind === 'epoch-started');
});

test('a reader whose signal aborts while it waits ends with the reason of the signal', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  await runs.trainReference(creation({}, {id: 'run'}));
  const stop = new AbortController();
  const events = runs.events('run', {start: {position: 'latest'}, signal: stop.signal});
  assert.equal((await events.next()).value, 'caught-up');
  const next = events.next();
  stop.abort(new Error('enough'));
  await assert.rejects(next, /enough/);
});

test('waiting for a run ends at its next change, at once with a stale etag, and with the run as it is at the timeout', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  const run = await runs.trainReference(creation({}, {id: 'run'}));
  assert.deepEqual(await runs.waitRun('run', 'stale', 9000, soon()), run);
  const began = performance.now();
  assert.deepEqual(await runs.waitRun('run', run.etag, 100, soon()), run);
  assert.ok(performance.now() - began >= 95);
  const waiting = runs.waitRun('run', run.etag, 30_000, soon());
  const [, changed] = await Promise.all([runs.cancelRun('run', ''), waiting]);
  assert.equal(changed.state, 'CANCELLED');
  assert.notEqual(changed.etag, run.etag);
  await assert.rejects(runs.waitRun('run', changed.etag, 30_000, AbortSignal.timeout(20)), {name: 'TimeoutError'});
});

test('runs are listed from the newest to the oldest, page by page, and the token key stays', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  for (const id of ['a', 'b', 'c']) await runs.trainReference(creation({}, {id}));
  const first = await runs.listRuns({pageSize: 2, pageToken: ''});
  assert.deepEqual(
    first.runs.map(({id}) => id),
    ['c', 'b'],
  );
  await runs.trainReference(creation({}, {id: 'd'}));
  const second = await runs.listRuns({pageSize: 2, pageToken: first.nextPageToken});
  assert.deepEqual([second.runs.map(({id}) => id), second.nextPageToken], [['a'], '']);
  assert.equal(runs.tokenKey().length, 32);
  assert.deepEqual(runs.tokenKey(), runs.tokenKey());
  assert.deepEqual(await runs.countRuns(), [{kind: 'REFERENCE', state: 'PENDING', count: 4}]);
});

test('a place before what is left of the log is expired, and the reader is told where to go on', async t => {
  const folder = await temporaryFolder(t);
  const options = await runsOptions(folder);
  const runs = await createRuns(options);
  t.after(() => runs.close({graceMs: 5000}));
  await importPets(runs);
  runs.start();
  await runs.trainReference(creation({}, {id: 'run'}));
  await waitForEnd(runs, 'run');
  const all = await allEvents(runs, 'run');
  const second = all.find(({event}) => event.kind === 'epoch-started' && event.epoch === 1)!.sequence;
  const database = new Sqlite(join(options.dataDir, 'ftft.db'));
  t.after(() => database.close());
  await database.run('delete from events where run_id = ? and seq < ?', 'run', second);
  const read = async (start: EventRange['start']) => {
    const seen: number[] = [];
    for await (const event of runs.events('run', {start, signal: soon()}))
      if (event !== 'caught-up') seen.push(event.sequence);
    return seen;
  };
  const left = all.slice(second - 1).map(({sequence}) => sequence);
  assert.deepEqual(await read({position: 'earliest'}), left);
  assert.deepEqual(await read({sequence: second}), left);
  assert.deepEqual(await read({epoch: 1}), left);
  for (const start of [{sequence: 1}, {sequence: second - 1}, {epoch: 0}])
    await assert.rejects(read(start), {
      code: 'OUT_OF_RANGE',
      details: {
        reason: 'RESUME_TOKEN_EXPIRED',
        metadata: {earliest_sequence: String(second), earliest_epoch: '1'},
      },
    });
  await database.run('delete from events where run_id = ?', 'run');
  assert.deepEqual(await read({position: 'earliest'}), []);
  await assert.rejects(read({sequence: second}), {
    details: {reason: 'RESUME_TOKEN_EXPIRED', metadata: {earliest_sequence: String(all.length + 1)}},
  });
});

test('dynamics that go while a reader is among them end its stream with an error, not with a gap', async t => {
  const sql = new Sqlite(':memory:');
  t.after(() => sql.close());
  const store = createSqlStore(sql);
  await store.runs.insert(pendingRun('a'));
  const {attempt} = (await store.leases.claim('worker', 60_000))!.run;
  const events: LogEvent[] = Array.from({length: 30}, (_, epoch) => ({kind: 'epoch-started', epoch}));
  await store.log.append({runId: 'a', attempt}, stored => ({stored, events}));
  const reader = readEvents(store, new Wakeups(), 'a', {start: {position: 'earliest'}, signal: soon()});
  const seen: unknown[] = [];
  await assert.rejects(
    async () => {
      for await (const event of reader) {
        seen.push(event === 'caught-up' ? event : event.sequence);
        if (seen.length === 3) await store.log.removeAllButLast('a');
      }
    },
    {details: {reason: 'RESUME_TOKEN_EXPIRED', metadata: {earliest_sequence: '30', earliest_epoch: '29'}}},
  );
  // The page that it had.
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a reader of a run that was deleted, and whose name another has, gets nothing of the other', async t => {
  const sql = new Sqlite(':memory:');
  t.after(() => sql.close());
  const store = createSqlStore(sql);
  const events: LogEvent[] = Array.from({length: 30}, (_, epoch) => ({kind: 'epoch-started', epoch}));
  const fill = async (uid: string) => {
    const {run, ...rest} = pendingRun('a');
    await store.runs.insert({run: {...run, uid}, ...rest});
    const {attempt} = (await store.leases.claim('worker', 60_000))!.run;
    await store.log.append({runId: 'a', attempt}, stored => ({stored, events}));
  };
  await fill('one');
  const reader = readEvents(store, new Wakeups(), 'a', {start: {position: 'earliest'}, signal: soon()});
  let numSeen = 0;
  await assert.rejects(
    async () => {
      for await (const _ of reader)
        if (++numSeen === 3) {
          await store.runs.remove('a');
          await fill('another');
        }
    },
    {code: 'NOT_FOUND'},
  );
  assert.equal(numSeen, 8);
});
