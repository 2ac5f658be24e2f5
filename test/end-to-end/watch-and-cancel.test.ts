// The real server training the real MiniLM: cancelling, reconnecting, answering while a step runs, draining.
import assert from 'node:assert/strict';
import {type TestContext, test} from 'node:test';
import {type ClientError, createClient, Status} from 'nice-grpc';
import {HealthDefinition} from 'nice-grpc-server-health';
import type {StreamDynamicsResponse} from '../../src/server/gen/ftft/v1/dynamics.js';
import {Run_State} from '../../src/server/gen/ftft/v1/run.js';
import {type ServerProcess, startServer, withFolder} from '../support/server-process.js';
import {collect, importSentiment, readDynamics, smallSpec, waitForEnd, waitUntil} from '../support/small-run.js';

const name = 'runs/reference';

test('a cancelled run stops at the next batch, keeps its epochs, and the next run trains', () =>
  withServer(async server => {
    await start(server, 96, {epochs: 50});
    await waitUntil(server.client, name, run => (run.progress?.committedEpochs ?? 0) >= 1);
    const asked = await server.client.cancelRun({name});
    assert.ok([Run_State.STATE_CANCELLING, Run_State.STATE_CANCELLED].includes(asked.state));
    const run = await waitForEnd(server.client, name);
    assert.equal(run.state, Run_State.STATE_CANCELLED);
    assert.ok(run.progress!.steps < run.progress!.totalSteps);
    assert.ok(readDynamics(await collect(server.client, {name})).digests.length >= 1);
    await server.client.trainReference({runId: 'next', spec: {...smallSpec, epochs: 2}});
    assert.equal((await waitForEnd(server.client, 'runs/next')).state, Run_State.STATE_SUCCEEDED);
  }));

test('a watcher that loses its connection again and again sees every event once', () =>
  withServer(async server => {
    await start(server, 96, {epochs: 4});
    const seen: StreamDynamicsResponse[] = [];
    let resumeToken = '';
    let isCompleted = false;
    while (!isCompleted) {
      const stop = new AbortController();
      const start = resumeToken ? {$case: 'resumeToken' as const, value: resumeToken} : undefined;
      let numRead = 0;
      try {
        for await (const event of server.client.streamDynamics({name, start}, {signal: stop.signal})) {
          if (event.sequence > 0) seen.push(event);
          resumeToken = event.resumeToken;
          isCompleted ||= event.event?.$case === 'completed';
          if (++numRead >= 3 && !isCompleted) stop.abort();
        }
      } catch (error) {
        if (!stop.signal.aborted) throw error;
      }
    }
    const whole = (await collect(server.client, {name})).filter(event => event.sequence > 0);
    const bare = (events: StreamDynamicsResponse[]) => events.map(({resumeToken: _, ...event}) => event);
    assert.deepEqual(bare(seen), bare(whole));
  }));

test('Health and GetRun are answered while one and the same step is running', () =>
  withServer(async server => {
    // One step of 192 long texts takes seconds; the whole run is that one step an epoch.
    await start(server, 192, {layers: 6, batchSize: 192, maxLength: 64, epochs: 2});
    await waitUntil(server.client, name, run => (run.progress?.steps ?? 0) >= 1);
    const health = createClient(HealthDefinition, server.channel);
    let answeredInStep = 0;
    let before = await server.client.getRun({name});
    const slowest = {ms: 0};
    while (before.progress!.steps === 1 && before.state === Run_State.STATE_RUNNING) {
      const asked = performance.now();
      assert.equal((await health.check({service: ''})).status, 1);
      before = await server.client.getRun({name});
      slowest.ms = Math.max(slowest.ms, performance.now() - asked);
      if (before.progress!.steps === 1) answeredInStep++;
    }
    assert.ok(answeredInStep >= 10, `answered ${answeredInStep} times during one step, slowest ${slowest.ms} ms`);
    await server.client.cancelRun({name}).catch(() => undefined);
  }));

test('a draining server tells its watchers to reconnect and exits with 0', () =>
  withFolder(async folder => {
    const server = await startServer(folder);
    await start(server, 96, {epochs: 50});
    const watching = collect(server.client, {name});
    await waitUntil(server.client, name, run => (run.progress?.committedEpochs ?? 0) >= 1);
    const code = server.stop();
    await assert.rejects(watching, (error: ClientError) => error.code === Status.UNAVAILABLE);
    assert.equal(await code, 0);
    const again = await startServer(folder);
    const run = await waitUntil(again.client, name, run => run.attempt >= 2);
    assert.notEqual(run.state, Run_State.STATE_FAILED);
    await again.client.cancelRun({name});
    await waitForEnd(again.client, name);
    await again.stop();
  }));

async function start(server: ServerProcess, numTrain: number, spec: Partial<typeof smallSpec>): Promise<void> {
  await importSentiment(server.client, numTrain, 32);
  await server.client.trainReference({runId: 'reference', spec: {...smallSpec, ...spec}});
}

async function withServer(body: (server: ServerProcess, context?: TestContext) => Promise<void>): Promise<void> {
  await withFolder(async folder => {
    const server = await startServer(folder);
    try {
      await body(server);
    } finally {
      await server.stop();
    }
  });
}
