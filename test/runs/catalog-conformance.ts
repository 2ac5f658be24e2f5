// What the catalogue of datasets and data maps must do on every storage engine.
import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {type TestContext, test} from 'node:test';
import type {Sql} from '../../src/runs/sql.js';
import {SqlCatalog} from '../../src/runs/sql-catalog.js';
import {movableClock} from './support/store-values.js';

/** open: an empty database of the engine whose time is movableClock.now. */
export function catalogConformance(name: string, open: (t: TestContext) => Promise<Sql>): void {
  test(`${name}: datasets, splits, maps, parts of instances and settings come back as they were put in`, async t => {
    const sql = await open(t);
    const clock = await movableClock.over(sql);
    const catalog = new SqlCatalog(sql);
    const dataset = {
      ...{id: 'pets', uid: randomUUID(), classNames: ['cat', 'dog'], classAliases: [[], ['d']], isTextPairs: false},
      ...{splits: [], createTime: 0, updateTime: clock.now},
    };
    const split = {name: 'train', isOutOfDistribution: false, instanceCount: 2, classCounts: [1, 1]};
    const stored = {split: {...split, digest: 'd', createTime: 5}, file: 'f'};
    await catalog.transaction('datasets', async () => {
      await catalog.putDataset(dataset);
      await catalog.addSplit('pets', stored);
    });
    await catalog.transaction('datasets', () => catalog.putDataset({...dataset, id: 'others', uid: randomUUID()}));
    await catalog.transaction('datasets', () => catalog.putDataset({...dataset, classAliases: [['c'], []]}));
    const found = {...dataset, classAliases: [['c'], []], createTime: clock.now, splits: [stored.split]};
    assert.deepEqual(await catalog.getDataset('pets'), found);
    assert.deepEqual(
      (await catalog.listDatasets(5)).map(({id, createTime}) => [id, createTime]),
      [
        ['others', clock.now + 1],
        ['pets', clock.now],
      ],
    );
    assert.deepEqual(await catalog.listDatasets(1, clock.now + 1), [found]);
    assert.deepEqual(await catalog.splits('pets'), [stored]);
    const body = Uint8Array.from({length: 70_000}, (_, i) => i % 256);
    await catalog.addInstances('run', 0, body);
    assert.deepEqual(Buffer.from((await catalog.instances('run', 0))!), Buffer.from(body));
    assert.equal(await catalog.instances('run', 1), undefined);
    const map = {id: 'map', run: 'run'} as never;
    await catalog.addDataMap({map, file: 'f', identity: 'i'}, {id: 'request', digest: 'd'});
    assert.deepEqual(await catalog.getDataMap('map'), {map, file: 'f', identity: 'i'});
    assert.deepEqual(await catalog.findDataMapByRequest('request'), {id: 'map', digest: 'd'});
    const made = await Promise.all([1, 2, 3].map(i => catalog.setting('key', () => Buffer.alloc(4, i))));
    assert.equal(new Set(made.map(value => value.toString('hex'))).size, 1, 'made once');
  });
}
