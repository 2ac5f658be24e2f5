import assert from 'node:assert/strict';
import {join} from 'node:path';
import {test} from 'node:test';
import {Sqlite} from '../../src/runs/sqlite.js';
import {createSqliteStore} from '../../src/runs/sqlite-store.js';
import {pendingRun, storeConformance} from './store-conformance.js';
import {temporaryFolder} from './support/open-runs.js';

storeConformance('SQLite', async () => {
  const clock = {now: 1_700_000_000_000};
  return {clock, store: createSqliteStore(new Sqlite(':memory:'), () => clock.now)};
});

test('what was committed is there when the file is opened again, by two processes at once too', async t => {
  const file = join(await temporaryFolder(t), 'ftft.db');
  const [one, two] = [new Sqlite(file), new Sqlite(file)];
  createSqliteStore(one).runs.insert(pendingRun('a'));
  createSqliteStore(two).runs.insert(pendingRun('b'));
  assert.equal(createSqliteStore(one).leases.claim('one', 1000)?.run.id, 'a');
  assert.equal(createSqliteStore(two).leases.claim('two', 1000)?.run.id, 'b');
  one.close();
  two.close();
  const again = new Sqlite(file);
  assert.equal(createSqliteStore(again).runs.countUnfinished(), 2);
  assert.equal(again.row('pragma journal_mode')?.journal_mode, 'wal');
  assert.equal(again.row('pragma synchronous')?.synchronous, 2);
  again.close();
});

test('a full disk is RESOURCE_EXHAUSTED/DISK_FULL, takes the transaction back, and leaves the store usable', async t => {
  const sqlite = new Sqlite(join(await temporaryFolder(t), 'ftft.db'));
  const store = createSqliteStore(sqlite);
  store.runs.insert(pendingRun('a'));
  const {attempt} = store.leases.claim('worker', 1000)!.run;
  const pages = Number(sqlite.row('pragma page_count')?.page_count);
  sqlite.rows(`pragma max_page_count = ${pages + 5}`);
  const append = (count: number) =>
    store.log.append({runId: 'a', attempt}, stored => ({
      stored,
      events: Array.from({length: count}, () => ({
        ...({kind: 'chunk', epoch: 0, chunkIndex: 0, firstInstance: 0, instanceCount: 5000, numClasses: 2} as const),
        ...{pTrue: new Float32Array(5000), correctBits: new Uint8Array(625), logits: new Float32Array(10_000)},
      })),
    }));
  assert.throws(() => append(3), {name: 'FtftError', code: 'RESOURCE_EXHAUSTED', details: {reason: 'DISK_FULL'}});
  assert.equal(store.log.lastSequence('a'), 0);
  assert.deepEqual(store.log.read('a', 1, 1), []);
  sqlite.rows('pragma max_page_count = 100000');
  assert.equal(append(3)?.length, 3);
  sqlite.close();
  assert.throws(() => store.runs.get('a'), {details: {reason: 'DRAINING', retryAfterMs: 1000}});
});

test('a database of a newer program is refused', async t => {
  const file = join(await temporaryFolder(t), 'ftft.db');
  const sqlite = new Sqlite(file);
  sqlite.rows('pragma user_version = 99');
  sqlite.close();
  assert.throws(() => new Sqlite(file), /schema must be of version \d+ or older, it is of version 99/);
});
