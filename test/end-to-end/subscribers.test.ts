// Many subscribers on one run of the real server, half of which stop reading: the others, and the training, do not notice.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {createChannel, createClient} from 'nice-grpc';
import type {StreamDynamicsResponse} from '../../src/server/gen/ftft/v1/dynamics.js';
import {FtftServiceDefinition} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {Run_State} from '../../src/server/gen/ftft/v1/run.js';
import {importText} from '../support/import-text.js';
import {startServer, withFolder} from '../support/server-process.js';
import {readDynamics, waitForEnd} from '../support/small-run.js';
import {tinyLines, writeTinyModel} from '../support/tiny-model.js';

const numReading = Number(process.env.FTFT_TEST_SUBSCRIBERS ?? 60) / 2;
const numStalled = numReading;
/** A chunk of 16 KB of p_true an epoch: a few of them fill what a connection holds for a reader. */
const numInstances = 4096;
const spec = {
  ...{
    dataset: 'datasets/pets',
    model: 'local:tiny',
    maxLength: 8,
    epochs: 6,
    batchSize: 256,
    learningRate: 1e-4,
    layers: 1,
  },
};

test('subscribers that stop reading hold up neither the others nor the training, and cost little memory', () =>
  withFolder(async folder => {
    await writeTinyModel(join(folder, 'models', 'tiny'));
    const env = {FTFT_MODEL_DIR: join(folder, 'models'), FTFT_CACHE_DIR: join(folder, 'cache')};
    const server = await startServer(join(folder, 'data'), env);
    const channels = [
      createChannel(server.address),
      createChannel(server.address, undefined, {'grpc.use_local_subchannel_pool': 1}),
    ];
    const [reading, stalled] = channels.map(channel => createClient(FtftServiceDefinition, channel));
    try {
      await importText(server.client, {}, tinyLines(numInstances).join('\n'));
      const name = (await server.client.trainReference({runId: 'ref', spec})).run!.name;
      const residentMiB = () =>
        Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))?.[1]) / 1024;
      const before = residentMiB();
      const idle = Array.from({length: numStalled}, () => stalled.streamDynamics({name})[Symbol.asyncIterator]());
      for (const stream of idle) await stream.next();
      const delays: number[] = [];
      const read = async () => {
        const events: StreamDynamicsResponse[] = [];
        for await (const event of reading.streamDynamics({name})) {
          if (event.event?.$case === 'epochCommitted') delays.push(Date.now() - event.eventTime!.getTime());
          events.push(event);
        }
        return events;
      };
      const seen = await Promise.all(Array.from({length: numReading}, read));
      const run = await waitForEnd(server.client, name);
      assert.equal(run.state, Run_State.STATE_SUCCEEDED);
      const [first] = seen;
      assert.equal(readDynamics(first).digests.length, spec.epochs);
      for (const events of seen) {
        assert.equal(events.at(-1)?.event?.$case, 'completed');
        assert.deepEqual(readDynamics(events).digests, readDynamics(first).digests);
      }
      const grown = residentMiB() - before;
      delays.sort((a, b) => a - b);
      const told = `${delays[delays.length >> 1]} ms median, ${delays.at(-1)} ms most from commit to subscriber, ${grown.toFixed(0)} MiB more`;
      if (process.env.FTFT_TEST_SUBSCRIBERS) console.log(`${run.cost?.wallTime?.seconds} s; ${told}`);
      // 16 messages at most wait for each; in all well below what is here.
      assert.ok(grown < 100 + 1.5 * (numReading + numStalled), told);
      for (const stream of idle) await stream.return?.();
    } finally {
      for (const channel of channels) channel.close();
      await server.stop();
    }
  }));
