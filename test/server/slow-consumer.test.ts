import assert from 'node:assert/strict';
import {test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {Status} from 'nice-grpc';
import type {StreamDynamicsResponse} from '../../src/server/gen/ftft/v1/dynamics.js';
import type {Telemetry} from '../../src/telemetry/telemetry.js';
import {chunk, runRecord} from './records.js';
import {collect, detail, errorOf, reasonOf, startTestServer} from './start-test-server.js';

const name = 'runs/ref';
const numChunks = 400;
const instances = 16_384;

/** A run whose log is far larger than what a connection buffers: 400 chunks of 67 KB. */
async function startWithLongLog(t: Parameters<typeof startTestServer>[0], stallMs: number) {
  const server = await startTestServer(t, {stallMs});
  server.runs.append('ref', {kind: 'run-changed', run: runRecord('ref', {state: 'RUNNING'})});
  const stored = chunk(0, 0, 0, instances);
  for (let i = 0; i < numChunks; i++) server.runs.append('ref', {...stored, chunkIndex: i} as typeof stored);
  server.runs.append('ref', {kind: 'run-changed', run: runRecord('ref', {state: 'SUCCEEDED'})});
  return server;
}

test('a reader that stops is closed with ABORTED/SLOW_CONSUMER, little waits for it, and it resumes without loss', async t => {
  const {client, runs, telemetry} = await startWithLongLog(t, 300);
  const seen: StreamDynamicsResponse[] = [];
  let goOn = () => {};
  const readAgain = new Promise<void>(resolve => {
    goOn = resolve;
  });
  const reading = (async () => {
    for await (const message of client.streamDynamics({name})) {
      seen.push(message);
      if (seen.length === 3) await readAgain;
    }
  })();
  await untilSlow(telemetry);
  // The log is not read ahead of the reader: what sockets and windows hold, and 16 messages.
  assert.ok(runs.numHandedOut < 200, `${runs.numHandedOut} events were taken from the log`);
  goOn();
  const error = await errorOf(reading);
  assert.equal(error.code, 10);
  assert.equal(reasonOf(error), 'SLOW_CONSUMER');
  assert.ok(detail(error, 'google.rpc.RetryInfo')?.retryDelay);
  const start = {$case: 'resumeToken', value: seen.at(-1)!.resumeToken} as const;
  const rest = await collect(client.streamDynamics({name, start}));
  const sequences = [...seen, ...rest].map(({sequence}) => sequence).filter(sequence => sequence > 0);
  assert.deepEqual(
    sequences,
    Array.from({length: numChunks + 2}, (_, i) => i + 1),
  );
});

test('a slow reader that makes progress is left alone', async t => {
  const {client} = await startWithLongLog(t, 2000);
  let count = 0;
  for await (const _ of client.streamDynamics({name})) if (++count % 10 === 0) await sleep(100);
  assert.equal(count, numChunks + 4);
});

test('a reader that does not even take its status is cut off, and told to come back', async t => {
  const {client, runs, telemetry} = await startWithLongLog(t, 300);
  let goOn = () => {};
  const readAgain = new Promise<void>(resolve => {
    goOn = resolve;
  });
  const seen: StreamDynamicsResponse[] = [];
  const reading = (async () => {
    for await (const message of client.streamDynamics({name})) {
      seen.push(message);
      if (seen.length === 3) await readAgain;
    }
  })();
  await untilSlow(telemetry);
  // Longer than the reset waits: timers of one process fire in order.
  await sleep(3500);
  assert.ok(runs.numHandedOut < 200, `${runs.numHandedOut} events were taken from the log`);
  goOn();
  await assert.rejects(reading, {code: Status.UNAVAILABLE});
  const start = {$case: 'resumeToken', value: seen.at(-1)!.resumeToken} as const;
  const next = await client.streamDynamics({name, start})[Symbol.asyncIterator]().next();
  assert.equal(next.value.sequence, seen.at(-1)!.sequence + 1);
});

async function untilSlow({metrics}: Telemetry): Promise<void> {
  const closed = /ftft_stream_closed_total{reason="slow_consumer"} 1/;
  let text = '';
  for (let i = 0; i < 500 && !closed.test(text); i++) {
    await sleep(20);
    text = await metrics.registry.metrics();
  }
  assert.match(text, closed);
  assert.match(text, /ftft_stream_subscribers 0/);
}
