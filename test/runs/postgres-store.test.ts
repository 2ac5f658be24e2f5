import assert from 'node:assert/strict';
import {after, type TestContext, test} from 'node:test';
import {setTimeout as wait} from 'node:timers/promises';
import {Postgres} from '../../src/runs/postgres.js';
import {createSqlStore} from '../../src/runs/sql-store.js';
import {startPostgres} from '../support/postgres.js';
import {blobSweepConformance} from './blob-sweep-conformance.js';
import {catalogConformance} from './catalog-conformance.js';
import {expiryConformance} from './expiry-conformance.js';
import {storeConformance} from './store-conformance.js';
import {movableClock, pendingRun} from './support/store-values.js';

const server = await startPostgres().catch((error: Error) => `no PostgreSQL can be started: ${error.message}`);

if (typeof server === 'string') test('PostgreSQL', {skip: server}, () => {});
else {
  after(() => server.stop());

  const open = async (t: TestContext) => {
    const sql = await Postgres.open(await server.database(), {now: movableClock.now});
    t.after(() => sql.close());
    return sql;
  };
  storeConformance('PostgreSQL', open);
  expiryConformance('PostgreSQL', open);
  catalogConformance('PostgreSQL', open);
  blobSweepConformance('PostgreSQL', open);

  test('of several processes that start at once on an empty database, one makes the schema and all can use it', async t => {
    const url = await server.database();
    const opened = await Promise.all(Array.from({length: 6}, () => Postgres.open(url)));
    t.after(() => Promise.all(opened.map(sql => sql.close())));
    await Promise.all(opened.map((sql, i) => createSqlStore(sql).runs.insert(pendingRun(`run-${i}`))));
    assert.equal(await createSqlStore(opened[0]).runs.countUnfinished(), 6);
    assert.deepEqual(await opened[0].rows('select count(*) as count from schema_version'), [{count: 1}]);
  });

  test('a database of a newer program is refused', async () => {
    const url = await server.database();
    const sql = await Postgres.open(url);
    await sql.rows('update schema_version set version = 99');
    await sql.close();
    await assert.rejects(Postgres.open(url), /schema must be of version \d+ or older, it is of version 99/);
  });

  test('time is the database’s, in whole milliseconds', async t => {
    const sql = await Postgres.open(await server.database());
    t.after(() => sql.close());
    const {createTime} = await createSqlStore(sql).runs.insert(pendingRun('a'));
    assert.ok(Number.isInteger(createTime) && Math.abs(createTime - Date.now()) < 5000, String(createTime));
  });

  test('a database that is not there is STORE_UNAVAILABLE, one that comes back is used again', async t => {
    const other = await startPostgres();
    t.after(() => other.stop());
    const sql = await Postgres.open(await other.database());
    t.after(() => sql.close());
    const {runs, log, transaction} = createSqlStore(sql);
    await runs.insert(pendingRun('a'));
    await other.kill();
    const away = {name: 'FtftError', code: 'UNAVAILABLE', details: {reason: 'STORE_UNAVAILABLE', retryAfterMs: 1000}};
    await assert.rejects(runs.get('a'), away);
    await assert.rejects(runs.get('a'), away);
    await assert.rejects(
      log.append({runId: 'a'}, stored => ({stored, events: []})),
      away,
    );
    await other.start();
    assert.equal((await runs.get('a'))?.run.id, 'a');
    // A transaction in which the connection dies is taken back.
    const dies = transaction(async () => {
      await runs.insert(pendingRun('b'));
      await other.kill();
      await runs.get('a');
    });
    await assert.rejects(dies, away);
    await other.start();
    assert.equal(await runs.get('b'), undefined);
  });

  test('a wrong database or password says so in one sentence, without the password', async () => {
    const url = new URL(await server.database());
    url.pathname = '/nowhere';
    url.password = 'secret';
    await assert.rejects(Postgres.open(url.href), (error: Error) => {
      assert.match(error.message, /^Cannot use the database of FTFT_DATABASE_URL: database "nowhere" does not exist$/);
      assert.ok(!error.message.includes('secret'));
      return true;
    });
  });

  test('a worker that is cut off inside a transaction lets go of its rows', async t => {
    const url = await server.database();
    const [cut, other] = [await Postgres.open(url), await Postgres.open(url)];
    t.after(() => Promise.all([cut.close(), other.close()]));
    const store = createSqlStore(other);
    await store.runs.insert(pendingRun('a'));
    const hangs = cut.transaction(async () => {
      await cut.row('select id from runs where id = ? for update', 'a');
      await wait(6000);
      await cut.row('select 1');
    });
    const refused = assert.rejects(hangs, {details: {reason: 'STORE_UNAVAILABLE', retryAfterMs: 1000}});
    await wait(100);
    const began = performance.now();
    assert.ok(await store.log.append({runId: 'a'}, stored => ({stored, events: []})));
    assert.ok(performance.now() - began < 5000);
    await refused;
  });

  test('words reach the other processes, once each, and after the connection was lost too', async t => {
    const url = await server.database();
    const [one, two] = [await Postgres.open(url), await Postgres.open(url)];
    t.after(() => Promise.all([one.close(), two.close()]));
    const heard: (string | undefined)[] = [];
    const own: (string | undefined)[] = [];
    two.listen(word => heard.push(word));
    one.listen(word => own.push(word));
    const until = async (holds: () => boolean) => {
      for (let tries = 0; !holds(); tries++) {
        assert.ok(tries < 500, `heard ${heard}`);
        await wait(10);
      }
    };
    await until(() => heard.length === 1 && own.length === 1);
    one.hint('run a');
    await until(() => heard.includes('run a'));
    await one.rows(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and query like 'listen%'`,
    );
    await until(() => heard.filter(word => word === undefined).length === 2);
    one.hint('run b');
    await until(() => heard.includes('run b'));
    assert.deepEqual(
      own.filter(word => word !== undefined),
      [],
      'nobody hears himself',
    );
  });
}
