import assert from 'node:assert/strict';
import {readdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {createRuns} from '../../src/runs/create-runs.js';
import {fillUp, mountSmallDisk, unmount} from '../support/small-disk.js';
import {faults} from './support/faults.js';
import {
  bytes,
  creation,
  header,
  importPets,
  lines,
  runsOptions,
  temporaryFolder,
  waitForEnd,
  waitUntil,
} from './support/open-runs.js';

test('on a full disk an import leaves nothing, a run fails with DISK_FULL at once, and with room again all goes on', async t => {
  const folder = await temporaryFolder(t);
  const disk = join(folder, 'disk');
  if (!mountSmallDisk(t, disk)) return;
  const runs = await createRuns({...(await runsOptions(folder)), dataDir: join(disk, 'data')});
  try {
    await importPets(runs);
    const huge = runs.importDataset({...header, split: 'huge'}, bytes(lines(150_000)));
    await assert.rejects(huge, {code: 'RESOURCE_EXHAUSTED', details: {reason: 'DISK_FULL'}});
    assert.equal((await runs.getDataset('pets')).splits.length, 2);
    const splits = readdirSync(join(disk, 'data', 'splits'), {recursive: true, withFileTypes: true});
    assert.equal(splits.filter(entry => entry.isFile()).length, 2);

    runs.start();
    await runs.trainReference(creation({seed: faults.slow, epochs: 200}, {id: 'run'}));
    await waitUntil(runs, 'run', ({progress}) => progress.committedEpochs > 0);
    const ballast = join(disk, 'ballast');
    fillUp(disk, ballast);
    const run = await waitForEnd(runs, 'run');
    assert.deepEqual([run.state, run.error?.code, run.error?.reason], ['FAILED', 'RESOURCE_EXHAUSTED', 'DISK_FULL']);
    assert.equal((await runs.buildDataMap({run: 'run', validateOnly: true})).isFinal, true, 'its epochs are readable');

    rmSync(ballast);
    await runs.trainReference(creation({epochs: 2}, {id: 'next'}));
    assert.equal((await waitForEnd(runs, 'next')).state, 'SUCCEEDED');
  } finally {
    await runs.close({graceMs: 0});
    unmount(disk);
  }
});
