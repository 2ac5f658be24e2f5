import assert from 'node:assert/strict';
import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {setTimeout as wait} from 'node:timers/promises';
import type {RunCreation} from '../../src/runs/api.js';
import {createRuns, type RunsWithLife} from '../../src/runs/create-runs.js';
import type {Retention} from '../../src/runs/retention.js';
import {Sqlite} from '../../src/runs/sqlite.js';
import {creation, importPets, runsOptions, temporaryFolder, waitForEnd} from './support/open-runs.js';

const day = 24 * 3_600_000;

/** A service in which a reference, its map and a main run on it have ended; later: the same after so many days under a policy. */
async function ended(t: TestContext) {
  const options = await runsOptions(await temporaryFolder(t));
  const first = await createRuns(options);
  await importPets(first);
  first.start();
  await first.trainReference(creation({epochs: 2}, {id: 'reference'}));
  await waitForEnd(first, 'reference');
  await first.buildDataMap({id: 'map', run: 'reference', validateOnly: false});
  await first.fineTuneMain({...creation({epochs: 2}, {id: 'main'}), dataMap: 'map'} as RunCreation & {dataMap: string});
  const main = await waitForEnd(first, 'main');
  await first.close({graceMs: 0});
  const file = join(options.dataDir, 'ftft.db');
  const later = async (days: number, retention: Retention): Promise<RunsWithLife> => {
    const sql = new Sqlite(file);
    await sql.run('update runs set ended_at = ended_at - ?', days * day);
    await sql.run('update removals set since = since - ?', days * day);
    const maps = await sql.rows('select id, record from data_maps');
    for (const {id, record} of maps) {
      const map = JSON.parse(String(record));
      const moved = JSON.stringify({...map, createTime: map.createTime - days * day});
      await sql.run('update data_maps set record = ? where id = ?', moved, id);
    }
    await sql.close();
    const runs = await createRuns({...options, retention});
    t.after(() => runs.close({graceMs: 0}));
    runs.start();
    return runs;
  };
  return {later, main, file, mapFolder: join(options.dataDir, 'data-maps'), runsFolder: join(options.dataDir, 'runs')};
}

/** What is to happen soon, in the background. */
async function soon(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    assert.ok(tries < 1000, 'it does not come');
    await wait(10);
  }
}

const isGone = (found: Promise<unknown>): Promise<boolean> =>
  found.then(
    () => false,
    error => error.code === 'NOT_FOUND',
  );

const count = async (file: string, table: string): Promise<number> => {
  const sql = new Sqlite(file);
  const row = await sql.row(`select count(*) as count from ${table}`);
  await sql.close();
  return Number(row!.count);
};

test('a model expires, then a log, then the run with its map, whose file goes when nothing can need it', async t => {
  const {later, main, file, mapFolder, runsFolder} = await ended(t);
  const policy = {modelsMs: 2 * day, dynamicsMs: 4 * day, runsMs: 6 * day};

  let runs = await later(1, policy);
  await wait(300);
  const young = await runs.getRun('main');
  assert.equal(young.modelUri, main.modelUri);
  assert.equal(young.expireTime, main.endTime! + 6 * day);
  assert.equal((await runs.listRuns({pageSize: 1, pageToken: ''})).runs[0].expireTime, young.expireTime);
  await runs.close({graceMs: 0});

  runs = await later(2, policy);
  await soon(async () => (await count(file, 'removals')) === 0 && readdirSync(runsFolder).length === 0);
  const bare = await runs.getRun('main');
  assert.equal(bare.modelUri, undefined);
  assert.deepEqual([bare.state, bare.evaluations], [main.state, main.evaluations]);
  assert.ok((await runs.lastSequence('main')) > 1);
  await runs.close({graceMs: 0});

  const numEvents = await count(file, 'events');
  runs = await later(2, policy);
  await soon(async () => (await count(file, 'events')) === 2);
  assert.ok(numEvents > 2);
  const read = async (start: {sequence: number} | {position: 'earliest'}) => {
    const kinds: string[] = [];
    for await (const event of runs.events('reference', {start, signal: AbortSignal.timeout(30_000)}))
      kinds.push(event === 'caught-up' ? event : event.event.kind);
    return kinds;
  };
  assert.deepEqual(await read({position: 'earliest'}), ['run-changed', 'caught-up'], 'the end is told still');
  await assert.rejects(read({sequence: 1}), /no longer kept/);
  await assert.rejects(
    runs.buildDataMap({id: 'other', run: 'reference', validateOnly: false}),
    /its dynamics have expired/,
  );
  assert.ok((await runs.readDataMap('map')).confidence.length > 0, 'a map lives on without its dynamics');
  await runs.close({graceMs: 0});

  runs = await later(2, policy);
  await soon(() => isGone(runs.getDataMap('map')));
  assert.deepEqual((await runs.listRuns({pageSize: 0, pageToken: ''})).runs, []);
  assert.equal(readdirSync(mapFolder).filter(name => name.endsWith('.columns')).length, 1);
  await runs.close({graceMs: 0});

  runs = await later(2, policy);
  await soon(async () => (await count(file, 'removals')) === 0);
  assert.equal(readdirSync(mapFolder).filter(name => name.endsWith('.columns')).length, 0);
});

test('without a policy nothing expires, but files of a deleted run go even where its process died before it removed them', async t => {
  const {later, main, file, runsFolder} = await ended(t);
  const sql = new Sqlite(file);
  await sql.run(`insert into removals (kind, name, since) values ('run', ?, 1)`, main.uid);
  await sql.close();
  const runs = await later(10_000, {});
  await soon(async () => (await count(file, 'removals')) === 0);
  assert.ok(!existsSync(join(runsFolder, main.uid)));
  assert.equal((await runs.listRuns({pageSize: 0, pageToken: ''})).runs.length, 2);
  assert.equal((await runs.getRun('main')).expireTime, undefined);
});
