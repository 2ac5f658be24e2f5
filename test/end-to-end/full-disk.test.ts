// The real server on a disk that fills up: clear errors over gRPC, nothing half-written, and all goes on when there is room again.
import assert from 'node:assert/strict';
import {readdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {createClientFactory, Status} from 'nice-grpc';
import {errorDetailsClientMiddleware} from 'nice-grpc-error-details';
import {FtftServiceDefinition} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {Run_State, type TrainingSpec} from '../../src/server/gen/ftft/v1/run.js';
import {detail, errorOf, reasonOf} from '../server/start-test-server.js';
import {importText} from '../support/import-text.js';
import {startServer, withFolder} from '../support/server-process.js';
import {fillUp, mountSmallDisk, unmount} from '../support/small-disk.js';
import {waitForEnd, waitUntil} from '../support/small-run.js';
import {tinyLines, writeTinyModel} from '../support/tiny-model.js';

const spec: Partial<TrainingSpec> = {dataset: 'datasets/pets', model: 'local:tiny', maxLength: 16, batchSize: 8};

test('a full disk is one clear error for an import and for a run, and the server lives on', t =>
  withFolder(async folder => {
    const disk = join(folder, 'disk');
    if (!mountSmallDisk(t, disk)) return;
    const [modelDir, cacheDir] = [join(folder, 'models'), join(folder, 'cache')];
    await writeTinyModel(join(modelDir, 'tiny'));
    const server = await startServer(join(disk, 'data'), {FTFT_MODEL_DIR: modelDir, FTFT_CACHE_DIR: cacheDir});
    const client = createClientFactory()
      .use(errorDetailsClientMiddleware)
      .create(FtftServiceDefinition, server.channel);
    try {
      await importText(client, {}, tinyLines(24).join('\n'));
      const huge = await errorOf(importText(client, {split: 'huge'}, tinyLines(150_000).join('\n')));
      assert.equal(huge.code, Status.RESOURCE_EXHAUSTED);
      assert.equal(reasonOf(huge), 'DISK_FULL');
      assert.match(huge.details, /the disk is full; free some space and try again$/);
      assert.equal(detail(huge, 'google.rpc.QuotaFailure')?.violations.length, 1);
      assert.equal((await client.getDataset({name: 'datasets/pets'})).splits.length, 1);
      const files = readdirSync(join(disk, 'data', 'splits'), {recursive: true, withFileTypes: true});
      assert.equal(files.filter(entry => entry.isFile()).length, 1);

      const {run} = await client.trainReference({runId: 'long', spec: {...spec, epochs: 10_000}});
      await waitUntil(client, run!.name, ({progress}) => (progress?.committedEpochs ?? 0) > 0);
      const ballast = join(disk, 'ballast');
      fillUp(disk, ballast);
      const failed = await waitForEnd(client, run!.name);
      assert.equal(failed.state, Run_State.STATE_FAILED);
      assert.equal(failed.error?.code, Status.RESOURCE_EXHAUSTED);
      assert.match(failed.error.message, /the disk is full/);

      // Database and artefacts have no more room than they made themselves: everything is still read, and nothing is half-written.
      assert.equal((await client.listRuns({})).runs.length, 1);
      assert.equal((await client.getDataset({name: 'datasets/pets'})).splits.length, 1);
      let committed = 0;
      for await (const {event} of client.streamDynamics({name: run!.name}))
        if (event?.$case === 'epochCommitted') committed++;
      assert.equal(committed, failed.progress?.committedEpochs);
      const {dataMap} = await client.buildDataMap({run: run!.name, validateOnly: true});
      assert.equal(dataMap?.epochs?.last, committed - 1);
      const refused = await errorOf(importText(client, {split: 'another'}, tinyLines(150_000).join('\n')));
      assert.equal(reasonOf(refused), 'DISK_FULL');

      rmSync(ballast);
      await client.trainReference({runId: 'next', spec: {...spec, epochs: 2}});
      const next = await waitForEnd(client, 'runs/next');
      assert.equal(next.state, Run_State.STATE_SUCCEEDED, next.error?.message);
    } finally {
      await server.stop();
      unmount(disk);
    }
  }));
