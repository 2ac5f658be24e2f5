import assert from 'node:assert/strict';
import {once} from 'node:events';
import {connect} from 'node:net';
import {test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {Status} from 'nice-grpc';
import {readConfig} from '../../../src/config.js';
import {CallerAccounts} from '../../../src/server/access/caller-limits.js';
import {FileFormat} from '../../../src/server/gen/ftft/v1/dataset.js';
import {runRecord} from '../records.js';
import {detail, errorOf, reasonOf, startTestServer} from '../start-test-server.js';
import {roleTokens, secureClient} from './secure-client.js';

const name = 'runs/ref';

async function exhausted(call: Promise<unknown>, reason: string) {
  const error = await errorOf(call);
  assert.equal(`${Status[error.code]}/${reasonOf(error)}`, `RESOURCE_EXHAUSTED/${reason}`);
  assert.ok(detail(error, 'google.rpc.QuotaFailure')?.violations.length);
  assert.ok(detail(error, 'google.rpc.RetryInfo')?.retryDelay);
  return error;
}

test('an account gives so many calls a second, twice as many at once, and fills up again', () => {
  let now = 0;
  const accounts = new CallerAccounts({callsPerSecond: 10, openCalls: 100}, () => now);
  const enter = (caller: string) => accounts.enter(caller)();
  for (let i = 0; i < 20; i++) enter('a');
  assert.throws(() => enter('a'), {details: {reason: 'RATE_LIMITED', retryAfterMs: 100, metadata: {limit: '10'}}});
  enter('b');
  now = 1000;
  for (let i = 0; i < 10; i++) enter('a');
  assert.throws(() => enter('a'), /at most 10 calls a second/);
});

test('where calls are not counted, a caller makes any number of them', () => {
  const accounts = new CallerAccounts({callsPerSecond: 0, openCalls: 1}, () => 0);
  for (let i = 0; i < 5000; i++) accounts.enter('a')();
});

test('calls are counted by default only where callers are known', () => {
  assert.equal(readConfig({}).limits.callsPerSecond, 0);
  assert.equal(readConfig({FTFT_AUTH_FILE: 'auth.json'}).limits.callsPerSecond, 1000);
});

test('accounts of callers that went away are forgotten, those with open calls are not', () => {
  let now = 0;
  const accounts = new CallerAccounts({callsPerSecond: 1, openCalls: 1}, () => now);
  accounts.enter('stays');
  for (let i = 0; i < 5000; i++) {
    now += 10;
    accounts.enter(`caller-${i}`)();
  }
  assert.throws(() => accounts.enter('stays'), /at most 1 calls open/);
  assert.ok((accounts as unknown as {accounts: Map<string, unknown>}).accounts.size < 1500);
});

test('a caller that calls too often is told when to come back, and others are served', async t => {
  const {tokens, file} = roleTokens();
  const {address, runs} = await startTestServer(t, {authFile: file, limits: {callsPerSecond: 5}});
  runs.records.set('ref', runRecord('ref'));
  const [viewer, admin] = [tokens.viewer, tokens.admin].map(token => secureClient(t, address, {token}));
  const outcomes = await Promise.allSettled(Array.from({length: 40}, () => viewer.getRun({name})));
  const refused = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason] : []));
  assert.ok(refused.length >= 15 && refused.length <= 30, `${refused.length} of 40 were refused`);
  const error = await exhausted(Promise.reject(refused[0]), 'RATE_LIMITED');
  const {seconds, nanos} = detail(error, 'google.rpc.RetryInfo')!.retryDelay!;
  assert.ok(seconds === 0 && nanos <= 250_000_000);
  assert.ok(await admin.getRun({name}));
  await sleep(400);
  assert.ok(await viewer.getRun({name}));
});

test('a caller has so many calls open at once over all its connections, and room again when one ends', async t => {
  const {connect: another, runs} = await startTestServer(t, {limits: {openCalls: 3}});
  runs.append('ref', {kind: 'run-changed', run: runRecord('ref', {state: 'RUNNING'})});
  const open = async () => {
    const stop = new AbortController();
    const stream = another().streamDynamics({name}, {signal: stop.signal})[Symbol.asyncIterator]();
    await stream.next();
    return stop;
  };
  const streams = [await open(), await open(), await open()];
  await exhausted(open(), 'STREAM_LIMIT');
  await exhausted(another().waitRun({name, etag: 'e1'}), 'STREAM_LIMIT');
  streams[0].abort();
  for (let i = 0; i < 100; i++) {
    const opened = await open().catch(() => undefined);
    if (opened) return opened.abort();
    await sleep(10);
  }
  assert.fail('there is no room again');
});

test('calls that are refused, cancelled and done give their room back', async t => {
  const {client, runs} = await startTestServer(t, {limits: {openCalls: 2}});
  runs.append('ref', {kind: 'run-changed', run: runRecord('ref', {state: 'SUCCEEDED'})});
  for (let i = 0; i < 20; i++) {
    await client.getRun({name});
    await errorOf(client.getRun({name: 'wrong'}));
    const stop = new AbortController();
    const waiting = client.waitRun({name, etag: 'e1'}, {signal: stop.signal}).catch(() => {});
    await sleep(10);
    stop.abort();
    await waiting;
    await sleep(10);
  }
});

test('a request whose next message does not come is ended, one that a handler is busy with is not', async t => {
  const {client, runs} = await startTestServer(t, {limits: {requestMs: 150}});
  const header = {
    ...{dataset: 'datasets/pets', split: 'train', format: FileFormat.FILE_FORMAT_JSONL},
    columns: {text: 'text', label: 'label'},
  };
  async function* endless() {
    yield {part: {$case: 'header' as const, value: header}};
    await sleep(3000, undefined, {ref: false});
  }
  const error = await errorOf(client.importDataset(endless()));
  assert.equal(`${Status[error.code]}/${reasonOf(error)}`, 'DEADLINE_EXCEEDED/REQUEST_TOO_SLOW');
  runs.records.set('ref', runRecord('ref'));
  const started = performance.now();
  await client.waitRun({name, etag: 'e1', timeout: {nanos: 400_000_000}});
  assert.ok(performance.now() - started >= 350);
});

test('connections beyond the limit are closed and counted, and there is room again when one closes', async t => {
  const {servers, telemetry} = await startTestServer(t, {limits: {connections: 3}});
  const {grpc: port} = servers.ports;
  const open = async () => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    t.after(() => socket.destroy());
    return socket;
  };
  const isClosed = (socket: Awaited<ReturnType<typeof open>>) =>
    Promise.race([once(socket.on('error', () => {}).resume(), 'close').then(() => true), sleep(200).then(() => false)]);
  const sockets = [await open(), await open(), await open()];
  assert.equal(await isClosed(await open()), true);
  assert.equal(await isClosed(sockets[2]), false);
  assert.equal((await telemetry.metrics.connectionsRefused.get()).values[0].value, 1);
  sockets[0].destroy();
  await sleep(100);
  assert.equal(await isClosed(await open()), false);
});
