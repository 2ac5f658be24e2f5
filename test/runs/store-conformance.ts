// What every storage engine must do, as tests over a database that the engine's own test file makes.
import assert from 'node:assert/strict';
import {type TestContext, test} from 'node:test';
import {ended, lost, started} from '../../src/runs/run-changes.js';
import type {Sql} from '../../src/runs/sql.js';
import {createSqlStore} from '../../src/runs/sql-store.js';
import type {Lease, Store} from '../../src/runs/store.js';
import type {LogEvent} from '../../src/runs/types.js';
import {chunk, movableClock, pendingRun} from './support/store-values.js';

interface StoreUnderTest {
  sql: Sql;
  store: Store;
  clock: Awaited<ReturnType<typeof movableClock.over>>;
}

/** open: an empty database of the engine whose time is movableClock.now. */
export function storeConformance(name: string, open: (t: TestContext) => Promise<Sql>): void {
  const isDead = () => false;
  async function opened(t: TestContext): Promise<StoreUnderTest> {
    const sql = await open(t);
    return {sql, store: createSqlStore(sql), clock: await movableClock.over(sql)};
  }
  async function claimed(under: StoreUnderTest, id = 'a'): Promise<Lease> {
    await under.store.runs.insert(pendingRun(id));
    const run = (await under.store.leases.claim('worker', 1000))!.run;
    return {runId: run.id, attempt: run.attempt};
  }

  test(`${name}: a run comes back as it was put in, with a growing, unique create time`, async t => {
    const {store, clock} = await opened(t);
    const put = pendingRun('a');
    await store.runs.insert(put, {id: 'request', digest: 'd'});
    await store.runs.insert(pendingRun('b'));
    const {run, work} = (await store.runs.get('a'))!;
    assert.deepEqual({...run, etag: '', queuePosition: 0}, {...put.run, createTime: clock.now, updateTime: clock.now});
    assert.deepEqual(work, {...put.work, pendingSince: clock.now});
    assert.equal((await store.runs.get('b'))!.run.createTime, clock.now + 1);
    assert.deepEqual(await store.runs.findByRequest('request'), {runId: 'a', digest: 'd'});
    assert.equal(await store.runs.findByRequest('another'), undefined);
    assert.equal(await store.runs.get('c'), undefined);
    await assert.rejects(async () => store.runs.insert(pendingRun('a')), {
      details: {reason: 'RUN_EXISTS', resource: {type: 'Run', name: 'runs/a'}},
    });
  });

  test(`${name}: lists run from the newest to the oldest, and counts tell kinds and states apart`, async t => {
    const {store} = await opened(t);
    for (const id of ['a', 'b', 'c']) await store.runs.insert(pendingRun(id));
    const [first, second] = await store.runs.list(2);
    assert.deepEqual([first.id, second.id], ['c', 'b']);
    assert.deepEqual(
      (await store.runs.list(2, second.createTime)).map(({id}) => id),
      ['a'],
    );
    await store.leases.claim('worker', 1000);
    const counts = [...(await store.runs.countByKindAndState())].sort((x, y) => x.count - y.count);
    assert.deepEqual(counts, [
      {kind: 'REFERENCE', state: 'RUNNING', count: 1},
      {kind: 'REFERENCE', state: 'PENDING', count: 2},
    ]);
    assert.equal(await store.runs.countUnfinished(), 3);
  });

  test(`${name}: the queue gives the highest priority first, then the oldest, each run once`, async t => {
    const {store} = await opened(t);
    await store.runs.insert(pendingRun('old'));
    await store.runs.insert(pendingRun('young'));
    await store.runs.insert(pendingRun('urgent', {priority: 5}));
    const positions = (await store.runs.list(3)).map(({id, queuePosition}) => [id, queuePosition]);
    assert.deepEqual(positions, [
      ['urgent', 1],
      ['young', 3],
      ['old', 2],
    ]);
    const etag = (await store.runs.get('young'))!.run.etag;
    const claims = [];
    for (let i = 0; i < 4; i++) claims.push((await store.leases.claim('worker', 1000))?.run);
    assert.deepEqual(
      claims.map(run => run?.id),
      ['urgent', 'old', 'young', undefined],
    );
    assert.deepEqual(
      claims.slice(0, 3).map(run => [run!.state, run!.attempt]),
      Array(3).fill(['RUNNING', 1]),
    );
    assert.notEqual((await store.runs.get('young'))!.run.etag, etag);
  });

  test(`${name}: the etag of a waiting run changes with its place in the queue`, async t => {
    const {store} = await opened(t);
    await store.runs.insert(pendingRun('first'));
    await store.runs.insert(pendingRun('second'));
    const {etag} = (await store.runs.get('second'))!.run;
    await store.leases.claim('worker', 1000);
    assert.notEqual((await store.runs.get('second'))!.run.etag, etag);
  });

  test(`${name}: an append numbers its events from 1 without gaps and brings back their columns bit for bit`, async t => {
    const under = await opened(t);
    const lease = await claimed(under);
    const {log} = under.store;
    const first = await log.append(lease, stored => ({stored, events: [{kind: 'epoch-started', epoch: 0}]}));
    assert.deepEqual(first, [
      {sequence: 1, attempt: 1, time: under.clock.now, event: {kind: 'epoch-started', epoch: 0}},
    ]);
    await log.append(lease, stored => ({stored, events: []}));
    await log.append(lease, stored => ({
      stored,
      events: [chunk(0, 20_001), {kind: 'epochs-discarded', firstEpoch: 0, steps: 0, reason: 'r'}],
    }));
    const read = await log.read('a', 1, 10);
    assert.deepEqual(
      read.map(({sequence}) => sequence),
      [1, 2, 3],
    );
    assert.deepEqual(read[1].event, chunk(0, 20_001));
    assert.deepEqual(
      (await log.read('a', 2, 1)).map(({sequence}) => sequence),
      [2],
    );
    assert.equal(await log.lastSequence('a'), 3);
    const kinds = await log.readKinds('a', ['epoch-started', 'epochs-discarded']);
    assert.deepEqual(
      kinds,
      (await log.read('a', 1, 100)).filter(({event}) => /epoch-started|discarded/.test(event.kind)),
    );
    assert.deepEqual(await log.epochMarks('a'), [
      {sequence: 1, kind: 'epoch-started', epoch: 0},
      {sequence: 3, kind: 'epochs-discarded', epoch: 0},
    ]);
  });

  test(`${name}: an append changes run and log together or not at all`, async t => {
    const under = await opened(t);
    const lease = await claimed(under);
    const before = await under.store.runs.get('a');
    const broken = {kind: 'epoch-started', epoch: 1n} as unknown as LogEvent;
    const append = async () =>
      under.store.log.append(lease, stored => ({
        stored: {...stored, lostLeases: 9},
        events: [{kind: 'epoch-started', epoch: 0}, broken],
      }));
    await assert.rejects(append);
    assert.deepEqual(await under.store.runs.get('a'), before);
    assert.deepEqual(await under.store.log.read('a', 1, 10), []);
    await assert.rejects(async () =>
      under.store.log.append(lease, stored => ({
        stored: {...stored, run: {...stored.run, state: 'SUSPENDED'}},
        events: [broken],
      })),
    );
    assert.equal((await under.store.runs.get('a'))!.run.state, 'RUNNING');
  });

  test(`${name}: a transaction that fails takes back every call in it`, async t => {
    const {store} = await opened(t);
    await assert.rejects(
      async () =>
        store.transaction(async () => {
          await store.runs.insert(pendingRun('a'));
          await store.log.append({runId: 'a'}, stored => ({stored, events: [{kind: 'epoch-started', epoch: 0}]}));
          throw new Error('no');
        }),
      /^Error: no$/,
    );
    assert.equal(await store.runs.get('a'), undefined);
    assert.deepEqual(await store.log.read('a', 1, 10), []);
    await store.runs.insert(pendingRun('a'));
    assert.equal(await store.log.lastSequence('a'), 0);
  });

  test(`${name}: a state that cannot follow is refused`, async t => {
    const {store} = await opened(t);
    await store.runs.insert(pendingRun('a'));
    await assert.rejects(
      async () => store.log.append({runId: 'a'}, stored => ended(stored, 'SUCCEEDED', 0)),
      /must not become SUCCEEDED/,
    );
  });

  test(`${name}: an append of a former attempt changes nothing`, async t => {
    const under = await opened(t);
    const {store, clock} = under;
    const zombie = await claimed(under);
    await clock.advance(1001);
    const [found] = await store.leases.findLost(isDead);
    assert.equal(found.run.id, 'a');
    await store.log.append(zombie, stored => lost(stored, clock.now));
    const owner = (await store.leases.claim('another', 1000))!.run;
    await store.log.append({runId: 'a', attempt: owner.attempt}, stored => started(stored, clock.now));
    const before = [await store.runs.get('a'), await store.log.read('a', 1, 10)];
    let called = 0;
    const appended = await store.log.append(zombie, stored => {
      called++;
      return {stored, events: [{kind: 'epoch-started', epoch: 7}]};
    });
    assert.equal(appended, undefined);
    assert.equal(called, 0);
    assert.equal(await store.leases.renew(zombie, 1e9), undefined);
    assert.deepEqual([await store.runs.get('a'), await store.log.read('a', 1, 10)], before);
    assert.deepEqual(await store.leases.findLost(isDead), []);
    await clock.advance(1001);
    assert.equal((await store.leases.findLost(isDead)).length, 1, 'the zombie did not lengthen the lease');
  });

  test(`${name}: the key of an append is of its attempt: the next one’s first append is made, not taken for the former’s`, async t => {
    const under = await opened(t);
    const {store, clock} = under;
    const lease = await claimed(under);
    await store.log.append(lease, stored => lost(stored, clock.now), '1');
    const {attempt} = (await store.leases.claim('another', 1000))!.run;
    const events = [{kind: 'epoch-started' as const, epoch: 0}];
    const appended = await store.log.append({runId: 'a', attempt}, stored => ({stored, events}), '1');
    assert.deepEqual(
      appended?.map(({event}) => event),
      events,
    );
    assert.deepEqual((await store.log.read('a', 1, 10)).at(-1), appended?.[0]);
  });

  test(`${name}: a renewed lease lives on, one whose owner is dead does not, and an ended run has none`, async t => {
    const under = await opened(t);
    const {store, clock} = under;
    assert.equal(await store.leases.nextEndMs(), undefined);
    const lease = await claimed(under);
    await clock.advance(900);
    assert.ok((await store.leases.nextEndMs())! <= 100);
    assert.equal(await store.leases.renew(lease, 1000), 'RUNNING');
    const leftMs = (await store.leases.nextEndMs())!;
    assert.ok(leftMs > 900 && leftMs <= 1000, `${leftMs} ms`);
    await clock.advance(900);
    assert.deepEqual(await store.leases.findLost(isDead), []);
    assert.equal((await store.leases.findLost(owner => owner === 'worker')).length, 1);
    await store.log.append(lease, stored => ended(stored, 'SUCCEEDED', clock.now));
    assert.equal(await store.leases.renew(lease, 1000), undefined);
    assert.equal(await store.log.append(lease, stored => ({stored, events: []})), undefined);
    await clock.advance(5000);
    assert.deepEqual(await store.leases.findLost(() => true), []);
    assert.equal(await store.leases.nextEndMs(), undefined);
    assert.equal(await store.runs.countUnfinished(), 0);
  });

  test(`${name}: calls that come at once give each run once, and each append its own numbers`, async t => {
    const {store} = await opened(t);
    const ids = Array.from({length: 12}, (_, i) => `run-${i}`);
    const made = await Promise.all(ids.map(id => store.runs.insert(pendingRun(id))));
    assert.equal(new Set(made.map(({createTime}) => createTime)).size, 12);
    const claims = await Promise.all(ids.map(id => store.leases.claim(id, 1000)));
    const claimed = claims.filter(found => found !== undefined).map(({run}) => run.id);
    // One that meets another's claim may leave empty-handed; none is given twice.
    assert.equal(new Set(claimed).size, claimed.length);
    for (let found = await store.leases.claim('last', 1000); found; found = await store.leases.claim('last', 1000))
      claimed.push(found.run.id);
    assert.deepEqual(claimed.sort(), ids.sort());

    const lease = {runId: 'run-0', attempt: 1};
    const events = (epoch: number): LogEvent[] => [{kind: 'epoch-started', epoch}, chunk(epoch, 100)];
    await Promise.all(
      Array.from({length: 20}, (_, i) => store.log.append(lease, stored => ({stored, events: events(i)}))),
    );
    const log = await store.log.read('run-0', 1, 100);
    assert.deepEqual(
      log.map(({sequence}) => sequence),
      Array.from({length: 40}, (_, i) => i + 1),
    );
    for (let i = 0; i < 40; i += 2) {
      const [first, second] = [log[i].event, log[i + 1].event];
      assert.ok(first.kind === 'epoch-started' && second.kind === 'chunk' && first.epoch === second.epoch, String(i));
    }
  });

  test(`${name}: under the lock what was counted stays true`, async t => {
    const {store} = await opened(t);
    const accept = (id: string) =>
      store.transaction(async () => {
        await store.lock('runs');
        if ((await store.runs.countUnfinished()) >= 3) return false;
        await store.runs.insert(pendingRun(id));
        return true;
      });
    const accepted = await Promise.all(Array.from({length: 8}, (_, i) => accept(`run-${i}`)));
    assert.equal(accepted.filter(Boolean).length, 3);
    assert.equal(await store.runs.countUnfinished(), 3);
  });

  test(`${name}: one request id gives one run, whoever else comes with it`, async t => {
    const {store} = await opened(t);
    const request = {id: 'request', digest: 'd'};
    const accept = (id: string) =>
      store.transaction(async () => {
        await store.lock('runs');
        const found = await store.runs.findByRequest(request.id);
        return found?.runId ?? (await store.runs.insert(pendingRun(id), request)).id;
      });
    const ids = await Promise.all(Array.from({length: 8}, (_, i) => accept(`run-${i}`)));
    assert.equal(new Set(ids).size, 1);
  });
}
