// Whole runs whose data sets, checkpoints and models lie in a bucket of a real S3 server.
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {readdirSync, readFileSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {setTimeout as wait} from 'node:timers/promises';
import {createRuns} from '../../src/runs/create-runs.js';
import {noS3Server, startS3Server} from '../support/s3-server.js';
import {faults} from './support/faults.js';
import {
  allEvents,
  creation,
  digests,
  importPets,
  runsOptions,
  temporaryFolder,
  waitForEnd,
  waitUntil,
} from './support/open-runs.js';

if (noS3Server) test('runs over a bucket', {skip: noS3Server}, () => {});
else {
  const server = await startS3Server();
  after(() => server.stop());

  const filesBelow = (folder: string): string[] =>
    readdirSync(folder, {recursive: true, withFileTypes: true})
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort();

  test('a run that is suspended leaves nothing on the machine that worked at it', async t => {
    const options = {...(await runsOptions(await temporaryFolder(t))), bucket: await server.bucket()};
    const runs = await createRuns(options);
    t.after(() => runs.close({graceMs: 5000}));
    await importPets(runs);
    runs.start();
    await runs.trainReference(creation({seed: faults.slow, epochs: 4}, {id: 'run'}));
    await waitUntil(runs, 'run', ({progress}) => progress.committedEpochs > 1);
    await runs.suspendRun('run', '');
    await waitUntil(runs, 'run', ({state}) => state === 'SUSPENDED');
    const left = filesBelow(options.dataDir).filter(name => !/^(ftft\.db|\.reserve)/.test(name));
    assert.deepEqual(left, []);
    await runs.resumeRun('run', '');
    assert.equal((await waitForEnd(runs, 'run')).state, 'SUCCEEDED');
  });

  test('a run goes on at another machine from its last checkpoint, and leaves its model in the bucket and nothing else', async t => {
    const bucket = await server.bucket();
    const place = join(server.folder, bucket.bucket, bucket.prefix);
    const folder = await temporaryFolder(t);
    const options = {...(await runsOptions(folder)), bucket};
    const first = await createRuns(options);
    await importPets(first);
    first.start();
    await first.trainReference(creation({seed: faults.slow, epochs: 4}, {id: 'run'}));
    const {uid} = await waitUntil(first, 'run', ({progress}) => progress.committedEpochs > 1);
    await first.close({graceMs: 5000});
    rmSync(options.cacheDir, {recursive: true});
    assert.deepEqual(
      filesBelow(join(options.dataDir)).filter(name => !/^(ftft\.db|\.reserve)/.test(name)),
      [],
    );
    assert.equal(filesBelow(join(place, 'runs', uid, 'checkpoints')).length, 1);

    const second = await createRuns({...options, cacheDir: join(folder, 'another cache')});
    t.after(() => second.close({graceMs: 5000}));
    second.start();
    await second.trainReference(creation({seed: faults.slow, epochs: 4}, {id: 'uninterrupted'}));
    const run = await waitForEnd(second, 'run');
    assert.deepEqual([run.state, run.attempt, run.error], ['SUCCEEDED', 2, undefined]);
    const map = await second.buildDataMap({run: 'run', validateOnly: false});
    assert.equal((await second.readDataMap(map.id)).confidence.length, 60);
    const uninterrupted = await waitForEnd(second, 'uninterrupted');
    assert.deepEqual(digests(await allEvents(second, 'run')), digests(await allEvents(second, 'uninterrupted')));

    const prefix = `s3://${bucket.bucket}/${bucket.prefix}`;
    const model = run.modelUri!.slice(prefix.length);
    assert.match(run.modelUri!, new RegExp(`^${prefix}runs/${uid}/model-[0-9a-f]{16}$`));
    assert.ok(filesBelow(join(place, 'runs', uid)).every(name => join('runs', uid, name).startsWith(`${model}/`)));
    for (const line of readFileSync(join(place, model, 'SHA256SUMS'), 'utf8')
      .trim()
      .split('\n')) {
      const [sha256, name] = line.split('  ');
      assert.equal(
        createHash('sha256')
          .update(readFileSync(join(place, model, name)))
          .digest('hex'),
        sha256,
      );
    }
    assert.equal(model.slice(-16), uninterrupted.modelUri!.slice(-16), 'the same weights');

    await second.deleteRun('run', {etag: '', allowMissing: false});
    assert.deepEqual(
      filesBelow(join(place, 'runs')).filter(name => name.startsWith(uid)),
      [],
    );
  });

  test('while the service is gone a run waits, however long, and goes on when it is back', async t => {
    const other = await startS3Server();
    t.after(() => other.stop());
    const folder = await temporaryFolder(t);
    const bucket = {...(await other.bucket()), maxTries: 1};
    const runs = await createRuns({...(await runsOptions(folder)), bucket});
    t.after(() => runs.close({graceMs: 5000}));
    await importPets(runs);
    runs.start();
    await runs.trainReference(creation({seed: faults.slow, epochs: 4, maxAttempts: 1}, {id: 'run'}));
    await waitUntil(runs, 'run', ({progress}) => progress.committedEpochs > 0);
    await other.kill();
    const {committedEpochs} = (await runs.getRun('run')).progress;
    await wait(1500);
    const waiting = await runs.getRun('run');
    assert.equal(waiting.state, 'RUNNING');
    assert.ok(waiting.progress.committedEpochs <= committedEpochs + 1);
    await other.start();
    const run = await waitForEnd(runs, 'run');
    assert.deepEqual([run.state, run.attempt, run.error], ['SUCCEEDED', 1, undefined]);
  });

  test('a data set that was damaged in the bucket ends a run with DATASET_CORRUPT', async t => {
    const bucket = await server.bucket();
    const folder = await temporaryFolder(t);
    const options = {...(await runsOptions(folder)), bucket};
    const first = await createRuns(options);
    await importPets(first);
    await first.close({graceMs: 0});
    rmSync(options.cacheDir, {recursive: true});
    const splits = join(server.folder, bucket.bucket, bucket.prefix, 'splits');
    for (const name of readdirSync(splits)) rmSync(join(splits, name));
    const second = await createRuns(options);
    t.after(() => second.close({graceMs: 0}));
    second.start();
    await second.trainReference(creation({}, {id: 'run'}));
    const {state, error} = await waitForEnd(second, 'run');
    assert.deepEqual([state, error?.reason], ['FAILED', 'DATASET_CORRUPT']);
    assert.match(
      error!.message,
      /^Cannot read split file s3:\S+: it must be as it was imported, but it is not there; /,
    );
  });
}
