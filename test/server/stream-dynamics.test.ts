import assert from 'node:assert/strict';
import {once} from 'node:events';
import {test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import type {RunRecord} from '../../src/runs/types.js';
import {
  DynamicsView,
  StreamDynamicsRequest_StartPosition as Start,
  StreamDynamicsResponse,
} from '../../src/server/gen/ftft/v1/dynamics.js';
import {chunk, runRecord, trainingEvents} from './records.js';
import {collect, detail, errorOf, reasonOf, startTestServer} from './start-test-server.js';

const name = 'runs/ref';
const kinds = (messages: StreamDynamicsResponse[]) => messages.map(({event}) => event?.$case);
const changed = (state: RunRecord['state'], changes: Partial<RunRecord> = {}) =>
  ({kind: 'run-changed', run: runRecord('ref', {state, ...changes})}) as const;
/** Reads as far as the test wants, and keeps what it read. */
class Reader {
  readonly messages: StreamDynamicsResponse[] = [];
  private readonly iterator: AsyncIterator<StreamDynamicsResponse>;

  constructor(stream: AsyncIterable<StreamDynamicsResponse>) {
    this.iterator = stream[Symbol.asyncIterator]();
  }

  async readTo(kind: NonNullable<StreamDynamicsResponse['event']>['$case'] | 'end'): Promise<void> {
    for (let next = await this.iterator.next(); !next.done; next = await this.iterator.next()) {
      this.messages.push(next.value);
      if (next.value.event?.$case === kind) return;
    }
  }
}

const floats = (bytes: Buffer) => [...new Float32Array(Uint8Array.from(bytes).buffer)];

test('a finished run is replayed from event 1, then caught_up, completed and OK', async t => {
  const {client, runs} = await startTestServer(t);
  runs.appendAll('ref', [...trainingEvents('ref', 20, 16, 1), changed('SUCCEEDED')]);
  const messages = await collect(client.streamDynamics({name}));
  assert.deepEqual(kinds(messages), [
    ...['runChanged', 'runChanged', 'epochStarted', 'chunk', 'chunk', 'epochCommitted', 'runChanged'],
    ...['caughtUp', 'completed'],
  ]);
  assert.deepEqual(
    messages.map(({sequence}) => sequence),
    [1, 2, 3, 4, 5, 6, 7, 0, 0],
  );
  assert.deepEqual(
    messages.map(({attempt}) => attempt),
    [1, 1, 1, 1, 1, 1, 1, 0, 0],
  );
  const last = messages.at(-1)?.event;
  assert.equal(last?.$case === 'completed' && last.value.run?.name, name);
});

test('a late subscriber gets everything from event 1, then caught_up, then live events, as one that was there', async t => {
  const {client, runs, connect} = await startTestServer(t);
  const events = [...trainingEvents('ref', 20, 16), changed('SUCCEEDED')];
  runs.append('ref', events[0]);
  const early = new Reader(client.streamDynamics({name}));
  await early.readTo('caughtUp');
  for (const event of events.slice(1, 5)) runs.append('ref', event);
  const late = new Reader(connect().streamDynamics({name}));
  await late.readTo('caughtUp');
  for (const event of events.slice(5)) runs.append('ref', event);
  for (const reader of [early, late]) await reader.readTo('completed');
  assert.equal(kinds(early.messages).indexOf('caughtUp'), 1);
  assert.equal(kinds(late.messages).indexOf('caughtUp'), 5);
  const logged = (messages: StreamDynamicsResponse[]) => messages.filter(({sequence}) => sequence > 0);
  assert.deepEqual(logged(late.messages), logged(early.messages));
  assert.equal(logged(late.messages).length, events.length);
});

test('views choose the columns, and columns carry the stored bytes', async t => {
  const {client, runs} = await startTestServer(t);
  runs.appendAll('ref', [changed('RUNNING'), chunk(0, 0, 0, 11), changed('SUCCEEDED')]);
  const chunkOf = async (view: DynamicsView) => {
    const found = (await collect(client.streamDynamics({name, view}))).find(({event}) => event?.$case === 'chunk');
    return found?.event?.$case === 'chunk' ? found.event.value : undefined;
  };
  const basic = await chunkOf(DynamicsView.DYNAMICS_VIEW_BASIC);
  assert.deepEqual(floats(basic!.pTrue), [...Float32Array.from({length: 11}, (_, i) => i / 1e6)]);
  assert.deepEqual([...basic!.correct], [0b01001001, 0b010]);
  assert.equal(basic!.logits.length, 0);
  const full = await chunkOf(DynamicsView.DYNAMICS_VIEW_FULL);
  assert.deepEqual(
    floats(full!.logits),
    Array.from({length: 22}, (_, i) => i),
  );
  assert.equal(full!.classCount, 2);
  assert.equal(await chunkOf(DynamicsView.DYNAMICS_VIEW_SUMMARY), undefined);
});

test('messages stay under 256 KiB, whatever is stored and asked for', async t => {
  const {client, runs} = await startTestServer(t);
  runs.appendAll('ref', [changed('RUNNING'), chunk(0, 0, 0, 100_000, 3), changed('SUCCEEDED')]);
  for (const view of [DynamicsView.DYNAMICS_VIEW_BASIC, DynamicsView.DYNAMICS_VIEW_FULL]) {
    const messages = await collect(client.streamDynamics({name, view, maxChunkInstances: 1_000_000}));
    for (const message of messages) assert.ok(StreamDynamicsResponse.encode(message).finish().length < 256 * 1024);
    const chunks = messages.flatMap(({event}) => (event?.$case === 'chunk' ? [event.value] : []));
    assert.ok(chunks.length > 1);
    assert.equal(
      chunks.reduce((sum, {instanceCount}) => sum + instanceCount, 0),
      100_000,
    );
    assert.equal(Buffer.concat(chunks.map(({pTrue}) => pTrue)).length, 400_000);
  }
});

test('a list of instances sends those alone, numbered by their place in the list', async t => {
  const {client, runs} = await startTestServer(t);
  runs.appendAll('ref', [...trainingEvents('ref', 40, 16, 1), changed('SUCCEEDED')]);
  const instances = [3, 5, 18, 30, 31];
  const messages = await collect(client.streamDynamics({name, instances, maxChunkInstances: 2}));
  const chunks = messages.flatMap(({event}) => (event?.$case === 'chunk' ? [event.value] : []));
  assert.deepEqual(
    chunks.map(({firstInstance}) => firstInstance),
    [0, 2, 4],
  );
  assert.deepEqual(
    chunks.flatMap(({pTrue}) => floats(pTrue)),
    [...Float32Array.from(instances, i => i / 1e6)],
  );
  assert.deepEqual(
    chunks.flatMap(({correct}) => [...correct]),
    [0b01, 0b11, 0b0],
  );
});

test('a stream can begin at the end, at an epoch or at the last committed epoch', async t => {
  const {client, runs} = await startTestServer(t);
  runs.appendAll('ref', trainingEvents('ref', 8, 8, 3));
  runs.append('ref', {kind: 'epoch-started', epoch: 3});
  const firstSequence = async (start: object) => {
    const messages = await collect(client.streamDynamics({name, noFollow: true, ...start}));
    assert.equal(kinds(messages).at(-1), 'caughtUp');
    return messages[0].sequence;
  };
  assert.equal(await firstSequence({}), 1);
  assert.equal(await firstSequence({start: {$case: 'epoch', value: 1}}), 6);
  const at = (value: Start) => ({start: {$case: 'position', value}});
  assert.equal(await firstSequence(at(Start.START_POSITION_LAST_COMMITTED_EPOCH)), 9);
  assert.equal(await firstSequence(at(Start.START_POSITION_LATEST)), 0);
  const early = await errorOf(collect(client.streamDynamics({name, start: {$case: 'epoch', value: 9}})));
  assert.equal(reasonOf(early), 'EPOCH_NOT_REACHED');
});

test('silence is broken by heartbeats that carry a token', async t => {
  const {client, runs} = await startTestServer(t);
  runs.appendAll('ref', [changed('RUNNING')]);
  const seen: StreamDynamicsResponse[] = [];
  for await (const message of client.streamDynamics({name, heartbeatInterval: {seconds: 1}})) {
    seen.push(message);
    if (message.event?.$case === 'heartbeat') runs.append('ref', changed('SUCCEEDED'));
  }
  assert.deepEqual(kinds(seen), ['runChanged', 'caughtUp', 'heartbeat', 'runChanged', 'completed']);
  assert.deepEqual(seen[2].event, {$case: 'heartbeat', value: {lastSequence: 1}});
  const start = {$case: 'resumeToken', value: seen[2].resumeToken} as const;
  assert.equal((await collect(client.streamDynamics({name, start})))[0].sequence, 2);
});

test('a heartbeat that comes before the first event does not carry a token past what was asked for', async t => {
  const {client, runs} = await startTestServer(t);
  runs.appendAll('ref', [changed('RUNNING'), {kind: 'epoch-started', epoch: 0}, changed('SUCCEEDED')]);
  const events = runs.events.bind(runs);
  runs.events = async function* (...args) {
    await new Promise(resolve => setTimeout(resolve, 1300));
    yield* events(...args);
  };
  const start = {$case: 'epoch', value: 0} as const;
  const seen = await collect(client.streamDynamics({name, start, heartbeatInterval: {seconds: 1}}));
  assert.deepEqual(kinds(seen), ['heartbeat', 'epochStarted', 'runChanged', 'caughtUp', 'completed']);
  const resumeToken = {$case: 'resumeToken', value: seen[0].resumeToken} as const;
  const again = await collect(client.streamDynamics({name, start: resumeToken, heartbeatInterval: {seconds: 10}}));
  assert.deepEqual(kinds(again).slice(-4), ['epochStarted', 'runChanged', 'caughtUp', 'completed']);
});

test('a run that fails ends its stream with OK after completed, which carries the error', async t => {
  const {client, runs} = await startTestServer(t);
  const error = {code: 'INTERNAL', message: 'the loss is NaN', reason: 'LOSS_NOT_FINITE'} as const;
  runs.appendAll('ref', [changed('RUNNING'), changed('FAILED', {error})]);
  const last = (await collect(client.streamDynamics({name}))).at(-1)?.event;
  assert.equal(last?.$case === 'completed' && last.value.run?.error?.message, 'the loss is NaN');
});

test('a log that ends before its run does is an error, never a quiet end', async t => {
  const {client, runs} = await startTestServer(t);
  runs.appendAll('ref', [changed('RUNNING'), changed('FAILED')]);
  t.mock.method(runs, 'getRun', () => runRecord('ref', {state: 'RUNNING'}));
  t.mock.method(runs, 'events', async function* () {});
  assert.equal(reasonOf(await errorOf(collect(client.streamDynamics({name})))), 'UNEXPECTED');
});

test('a client that goes away ends its subscription, and the run does not notice', async t => {
  const {client, runs, telemetry} = await startTestServer(t);
  runs.appendAll('ref', [changed('RUNNING')]);
  const subscribers = async () => (await telemetry.metrics.streamSubscribers.get()).values[0].value;
  for await (const _ of client.streamDynamics({name})) {
    assert.equal(await subscribers(), 1);
    break;
  }
  for (let i = 0; i < 100 && (await subscribers()) > 0; i++) await sleep(10);
  assert.equal(await subscribers(), 0);
  assert.equal((await runs.getRun('ref')).state, 'RUNNING');
  assert.match(await telemetry.metrics.registry.metrics(), /ftft_stream_closed_total{reason="cancelled"} 1/);
});

test('a server that drains ends streams and waits with UNAVAILABLE/DRAINING and a time to come back', async t => {
  const {client, runs, servers, telemetry} = await startTestServer(t);
  runs.appendAll('ref', [changed('RUNNING')]);
  const reader = new Reader(client.streamDynamics({name}));
  await reader.readTo('caughtUp');
  const streaming = errorOf(reader.readTo('end'));
  const asked = once(runs.asked, 'waitRun');
  const waiting = errorOf(client.waitRun({name, etag: 'e1'}));
  await asked;
  await servers.drain();
  for (const error of [await streaming, await waiting]) {
    assert.equal(error.code, 14);
    assert.equal(reasonOf(error), 'DRAINING');
    assert.ok((detail(error, 'google.rpc.RetryInfo')?.retryDelay?.seconds ?? 0) >= 1);
  }
  assert.match(await telemetry.metrics.registry.metrics(), /ftft_stream_closed_total{reason="drain"} 1/);
});

test('wrong requests are refused with every violation', async t => {
  const {client, runs} = await startTestServer(t);
  const call = client.streamDynamics({
    ...{name: 'ref', view: 9 as DynamicsView, instances: [3, 3], maxChunkInstances: -1},
    ...{heartbeatInterval: {nanos: 1}, start: {$case: 'epoch', value: -1}},
  });
  const violations = detail(await errorOf(collect(call)), 'google.rpc.BadRequest')?.fieldViolations;
  assert.deepEqual(violations?.map(({field}) => field).sort(), [
    'epoch',
    'heartbeat_interval',
    'instances',
    'max_chunk_instances',
    'name',
    'view',
  ]);
  runs.faults.clear();
  assert.equal(reasonOf(await errorOf(collect(client.streamDynamics({name: 'runs/none'})))), 'RUN_NOT_FOUND');
});
