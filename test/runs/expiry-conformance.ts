// What has expired, on every storage engine: found, removed, and nothing else.
import assert from 'node:assert/strict';
import {type TestContext, test} from 'node:test';
import {ended} from '../../src/runs/run-changes.js';
import type {Sql} from '../../src/runs/sql.js';
import {SqlCatalog} from '../../src/runs/sql-catalog.js';
import {createSqlStore} from '../../src/runs/sql-store.js';
import {chunk, movableClock, pendingRun} from './support/store-values.js';

/** open: an empty database of the engine whose time is movableClock.now. */
export function expiryConformance(name: string, open: (t: TestContext) => Promise<Sql>): void {
  test(`${name}: what has ended for long is found by what is left of it, and a log but for its last event is removed`, async t => {
    const sql = await open(t);
    const clock = await movableClock.over(sql);
    const store = createSqlStore(sql);
    await store.runs.insert(pendingRun('a'));
    const {attempt} = (await store.leases.claim('worker', 1000))!.run;
    const lease = {runId: 'a', attempt};
    await store.runs.insert(pendingRun('b'));
    await store.log.append(lease, stored => ({stored, events: [{kind: 'epoch-started', epoch: 0}, chunk(0, 100)]}));
    await store.log.append(lease, stored => {
      const run = {...stored.run, modelUri: 'file:///model'};
      return ended({...stored, run}, 'SUCCEEDED', clock.now);
    });
    const left = async (milliseconds: number) => {
      const found = (['run', 'log', 'model'] as const).map(what => store.runs.endedFor(milliseconds, what, 10));
      return (await Promise.all(found)).map(runs => runs.map(({id}) => id).join());
    };
    await clock.advance(1000);
    assert.deepEqual(await left(1001), ['', '', '']);
    assert.deepEqual(await left(1000), ['a', 'a', 'a']);
    await store.log.removeAllButLast('a');
    await store.log.append({runId: 'a'}, ({run, ...rest}) => ({
      stored: {...rest, run: {...run, modelUri: undefined}},
      events: [],
    }));
    assert.deepEqual(await left(1000), ['a', '', '']);
    const last = await store.log.lastSequence('a');
    assert.deepEqual(
      (await store.log.read('a', 1, 10)).map(({sequence}) => sequence),
      [last],
    );
    await store.runs.remove('a');
    assert.deepEqual([await left(0), await store.log.read('a', 1, 10)], [['', '', ''], []]);
  });

  test(`${name}: maps are listed, newest first; one that no run is left of goes, and its file when nothing names it`, async t => {
    const sql = await open(t);
    const clock = await movableClock.over(sql);
    const catalog = new SqlCatalog(sql);
    const {runs} = createSqlStore(sql);
    await runs.insert(pendingRun('kept'));
    const user = pendingRun('user');
    await runs.insert({...user, run: {...user.run, kind: 'MAIN', dataMap: 'used'}});
    for (const [id, run] of [
      ['of-run', 'kept'],
      ['used', 'gone'],
      ['young', 'gone'],
      ['old', 'gone'],
    ]) {
      const map = {id, run, createTime: clock.now - (id === 'young' ? 999 : 1000)} as never;
      await catalog.addDataMap({map, file: `file-of-${id}`, identity: id});
    }
    const listed = async (...page: [number, number?, string?]) =>
      (await catalog.listDataMaps(...page)).map(({number, map}) => `${number} ${map.id}`);
    assert.deepEqual(await listed(2), ['4 old', '3 young']);
    assert.deepEqual(await listed(9, 4, 'gone'), ['3 young', '2 used']);
    await catalog.addInstances('gone', 0, new Uint8Array(3));
    assert.deepEqual(await catalog.removeUnneededDataMaps(1000), ['old']);
    assert.deepEqual(await listed(9), ['3 young', '2 used', '1 of-run']);
    assert.ok(await catalog.instances('gone', 0), 'other maps are of this run');
    assert.deepEqual(
      [await catalog.removals('data-map', 0), await catalog.removals('data-map', 1)],
      [['file-of-old'], []],
    );
    await catalog.addRemoval('data-map', 'file-of-old');
    await catalog.forgetRemoval('data-map', 'file-of-old');
    assert.deepEqual(await catalog.removals('data-map', 0), []);
    await clock.advance(1);
    await runs.remove('user');
    assert.deepEqual((await catalog.removeUnneededDataMaps(1000)).sort(), ['used', 'young']);
    assert.equal(await catalog.instances('gone', 0), undefined);
  });
}
