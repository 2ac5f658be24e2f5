import assert from 'node:assert/strict';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {createSqlStore} from '../../src/runs/sql-store.js';
import {Sqlite} from '../../src/runs/sqlite.js';
import {blobSweepConformance} from './blob-sweep-conformance.js';
import {catalogConformance} from './catalog-conformance.js';
import {expiryConformance} from './expiry-conformance.js';
import {storeConformance} from './store-conformance.js';
import {temporaryFolder} from './support/open-runs.js';
import {movableClock, pendingRun} from './support/store-values.js';

const open = async (t: TestContext) => {
  const sql = new Sqlite(':memory:', movableClock.now);
  t.after(() => sql.close());
  return sql;
};
storeConformance('SQLite', open);
expiryConformance('SQLite', open);
catalogConformance('SQLite', open);
blobSweepConformance('SQLite', open);

test('what was committed is there when the file is opened again, by two processes at once too', async t => {
  const file = join(await temporaryFolder(t), 'ftft.db');
  const [one, two] = [new Sqlite(file), new Sqlite(file)];
  await createSqlStore(one).runs.insert(pendingRun('a'));
  await createSqlStore(two).runs.insert(pendingRun('b'));
  assert.equal((await createSqlStore(one).leases.claim('one', 1000))?.run.id, 'a');
  assert.equal((await createSqlStore(two).leases.claim('two', 1000))?.run.id, 'b');
  await one.close();
  await two.close();
  const again = new Sqlite(file);
  assert.equal(await createSqlStore(again).runs.countUnfinished(), 2);
  assert.equal((await again.row('pragma journal_mode'))?.journal_mode, 'wal');
  assert.equal((await again.row('pragma synchronous'))?.synchronous, 2);
  await again.close();
});

test('times are this machine’s, in whole milliseconds', async t => {
  const sql = new Sqlite(':memory:');
  t.after(() => sql.close());
  const before = Date.now();
  const {createTime} = await createSqlStore(sql).runs.insert(pendingRun('a'));
  assert.ok(Number.isInteger(createTime));
  assert.ok(createTime >= before - 1 && createTime <= Date.now() + 1, `${createTime} is not near ${before}`);
});

test('calls outside a transaction wait for its end, calls inside join it, and one that comes after its end is refused', async t => {
  const sql = new Sqlite(':memory:');
  t.after(() => sql.close());
  const {runs, transaction} = createSqlStore(sql);
  let late = async (): Promise<unknown> => undefined;
  const order: string[] = [];
  const done = transaction(async () => {
    await runs.insert(pendingRun('inside'));
    order.push('inserted');
    await transaction(async () => void (await runs.insert(pendingRun('nested'))));
    late = async () => {
      await done;
      return await runs.get('inside');
    };
    queueMicrotask(() => void late().catch(error => order.push(String(error))));
    order.push('end');
  });
  const outside = runs.get('nested').then(found => order.push(`seen ${found?.run.id}`));
  await Promise.all([done, outside]);
  await new Promise(resolve => setTimeout(resolve, 5));
  assert.deepEqual(order.slice(0, 2), ['inserted', 'end']);
  assert.ok(order.includes('seen nested'));
  assert.ok(
    order.some(line => /used after its end/.test(line)),
    order.join(),
  );
});

test('a full disk is RESOURCE_EXHAUSTED/DISK_FULL, takes the transaction back, and leaves the store usable', async t => {
  const sqlite = new Sqlite(join(await temporaryFolder(t), 'ftft.db'));
  const store = createSqlStore(sqlite);
  await store.runs.insert(pendingRun('a'));
  const {attempt} = (await store.leases.claim('worker', 1000))!.run;
  const pages = Number((await sqlite.row('pragma page_count'))?.page_count);
  await sqlite.rows(`pragma max_page_count = ${pages + 5}`);
  const append = (count: number) =>
    store.log.append({runId: 'a', attempt}, stored => ({
      stored,
      events: Array.from({length: count}, () => ({
        ...({kind: 'chunk', epoch: 0, chunkIndex: 0, firstInstance: 0, instanceCount: 5000, numClasses: 2} as const),
        ...{pTrue: new Float32Array(5000), correctBits: new Uint8Array(625), logits: new Float32Array(10_000)},
      })),
    }));
  await assert.rejects(append(3), {name: 'FtftError', code: 'RESOURCE_EXHAUSTED', details: {reason: 'DISK_FULL'}});
  assert.equal(await store.log.lastSequence('a'), 0);
  assert.deepEqual(await store.log.read('a', 1, 1), []);
  await sqlite.rows('pragma max_page_count = 100000');
  assert.equal((await append(3))?.length, 3);
  await sqlite.close();
  await assert.rejects(store.runs.get('a'), {details: {reason: 'DRAINING', retryAfterMs: 1000}});
});

test('a database of a newer program is refused', async t => {
  const file = join(await temporaryFolder(t), 'ftft.db');
  const sqlite = new Sqlite(file);
  await sqlite.rows('pragma user_version = 99');
  await sqlite.close();
  assert.throws(() => new Sqlite(file), /schema must be of version \d+ or older, it is of version 99/);
});
