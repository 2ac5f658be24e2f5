// What a sweep of files must do on every storage engine, over files in a directory.
import assert from 'node:assert/strict';
import {existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import type {Artifacts} from '../../src/runs/artifacts.js';
import {BlobSweep} from '../../src/runs/blob-sweep.js';
import {silent} from '../../src/runs/logger.js';
import {openArtifacts} from '../../src/runs/open-artifacts.js';
import {newOwner} from '../../src/runs/owner.js';
import {putNamed} from '../../src/runs/put-named.js';
import type {Sql} from '../../src/runs/sql.js';
import {SqlCatalog} from '../../src/runs/sql-catalog.js';
import {createSqlStore} from '../../src/runs/sql-store.js';
import {SqlSweep} from '../../src/runs/sql-sweep.js';
import {temporaryFolder} from './support/open-runs.js';
import {movableClock, pendingRun} from './support/store-values.js';

const hour = 3_600_000;

/** open: an empty database of the engine whose time is movableClock.now. */
export function blobSweepConformance(name: string, open: (t: TestContext) => Promise<Sql>): void {
  async function opened(t: TestContext) {
    const sql = await open(t);
    const clock = await movableClock.over(sql);
    const dataDir = await temporaryFolder(t);
    const artifacts = await openArtifacts({dataDir, cacheDir: ''}, newOwner(), silent);
    const catalog = new SqlCatalog(sql);
    const sweeper = (change: Partial<Artifacts> = {}, databaseId = 'ours') =>
      new BlobSweep({
        ...{sql: new SqlSweep(sql), databaseId, owner: newOwner(), logger: silent},
        artifacts: {...artifacts, ...change},
      });
    const swept = async (sweep = sweeper()) => {
      await clock.advance(hour);
      assert.equal(await sweep.sweep(), true);
    };
    const place = {split: ['splits', '.jsonl'], 'data-map': ['data-maps', '.columns']};
    const path = (kind: keyof typeof place, sha256: string) => join(dataDir, place[kind][0], sha256 + place[kind][1]);
    /** A blob of each kind, put two days ago. */
    const putOld = async (text: string): Promise<string> => {
      const sha256 = await artifacts.splits.put([Buffer.from(text)]);
      await artifacts.dataMaps.put([Buffer.from(text)]);
      const before = Date.now() / 1000 - 48 * 3600;
      for (const kind of ['split', 'data-map'] as const) utimesSync(path(kind, sha256), before, before);
      return sha256;
    };
    const isThere = (sha256: string) => [existsSync(path('split', sha256)), existsSync(path('data-map', sha256))];
    return {sql, clock, dataDir, artifacts, catalog, sweeper, swept, putOld, isThere};
  }

  test(`${name}: files that nothing names go once they are old, with those of runs that are no more`, async t => {
    const {sql, dataDir, artifacts, catalog, sweeper, swept, putOld, isThere} = await opened(t);
    const [named, old] = [await putOld('named'), await putOld('old')];
    const young = await artifacts.splits.put([Buffer.from('young')]);
    const split = {split: {name: 'train'} as never, file: named};
    await catalog.transaction('datasets', () => catalog.addSplit('pets', split));
    await catalog.addDataMap({map: {id: 'map', run: 'run'} as never, file: named, identity: 'i'});
    for (const kind of ['split', 'data-map'] as const) await sweeper().removeUnnamed(kind, named);
    const {uid} = await createSqlStore(sql).runs.insert(pendingRun('live'));
    for (const folder of [uid, 'of nobody']) mkdirSync(join(dataDir, 'runs', folder, 'model'), {recursive: true});
    await swept();
    assert.deepEqual(
      [isThere(named), isThere(old)],
      [
        [true, true],
        [false, false],
      ],
    );
    assert.deepEqual(isThere(young), [true, false]);
    assert.deepEqual(readdirSync(join(dataDir, 'runs')), [uid]);
  });

  test(`${name}: what a process that died was removing goes with a later sweep`, async t => {
    const {clock, artifacts, sweeper, swept, putOld, isThere} = await opened(t);
    const old = await putOld('old');
    const splits = Object.assign(Object.create(artifacts.splits), {
      remove: () => Promise.reject(new Error('the process is gone')),
    });
    await assert.rejects(sweeper({splits}).sweep(), /the process is gone/);
    assert.deepEqual(isThere(old), [true, true]);
    await clock.advance(1000);
    assert.equal(await sweeper().sweep(), false, 'the turn of the process that is gone is not over');
    await sweeper().removeUnnamed('split', old);
    assert.deepEqual(isThere(old), [true, true], 'the process might be at it still');
    await swept();
    assert.deepEqual(isThere(old), [false, false]);
  });

  test(`${name}: who puts a file that is just being removed waits, and has it in the end`, async t => {
    const {artifacts, catalog, sweeper, swept, putOld, isThere} = await opened(t);
    const old = await putOld('old');
    let numPuts = 0;
    const bytes = () => {
      numPuts++;
      return [Buffer.from('old')];
    };
    const importAgain = () =>
      putNamed(artifacts.splits, bytes, file =>
        catalog.transaction('datasets', async () => {
          if (await catalog.isDoomed('split', file)) return undefined;
          await catalog.addSplit('pets', {split: {name: 'again'} as never, file});
          return file;
        }),
      );
    let meanwhile: Promise<string> | undefined;
    const splits = Object.assign(Object.create(artifacts.splits), {
      async remove(sha256: string) {
        meanwhile = importAgain();
        while (numPuts < 2) await new Promise(resolve => setTimeout(resolve, 5));
        await artifacts.splits.remove(sha256);
      },
    });
    await swept(sweeper({splits}));
    assert.equal(await meanwhile, old);
    assert.deepEqual(isThere(old), [true, false]);
    await swept();
    assert.deepEqual(isThere(old), [true, false]);
  });

  test(`${name}: a file that was removed between its put and its naming is put again`, async t => {
    const {artifacts, sweeper} = await opened(t);
    const file = await putNamed(
      artifacts.splits,
      () => [Buffer.from('bytes')],
      async sha256 => {
        await sweeper().removeUnnamed('split', sha256);
        return sha256;
      },
    );
    assert.equal(await artifacts.splits.has(file), true);
  });

  test(`${name}: one process at a time sweeps, and none before it is due; a place of another database is left alone`, async t => {
    const {clock, dataDir, sweeper, swept, putOld, isThere} = await opened(t);
    const old = await putOld('old');
    writeFileSync(join(dataDir, '.database'), 'of others');
    const turns = await Promise.all([sweeper(), sweeper(), sweeper()].map(one => one.sweep()));
    assert.deepEqual(turns.sort(), [false, false, true]);
    assert.equal(await sweeper().sweep(), false);
    await clock.advance(hour - 1);
    assert.equal(await sweeper().sweep(), false);
    await clock.advance(1);
    assert.equal(await sweeper().sweep(), true);
    assert.deepEqual(isThere(old), [true, true]);
    await swept(sweeper({}, 'of others'));
    assert.deepEqual(isThere(old), [false, false]);
  });
}
