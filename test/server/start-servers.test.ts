import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {once} from 'node:events';
import {connect} from 'node:net';
import {test} from 'node:test';
import {createChannel, createClient} from 'nice-grpc';
import {HealthDefinition} from 'nice-grpc-server-health';
import type {FtftError} from '../../src/errors.js';
import {FtftServiceDefinition} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {checkHost} from '../../src/server/listen.js';
import {reflectionDefinition} from '../../src/server/reflection.js';
import {runRecord} from './records.js';
import {errorOf, reasonOf, startTestServer, type TestServer} from './start-test-server.js';

const serving = 1;
const notServing = 2;

test('health answers on the main port and on its own, per service, and says NOT_SERVING before the drain', async t => {
  const server = await startTestServer(t);
  const ports = [server.servers.ports.grpc, server.servers.ports.health];
  const channels = ports.map(port => createChannel(`127.0.0.1:${port}`));
  t.after(() => {
    for (const channel of channels) channel.close();
  });
  const [main, plain] = channels.map(channel => createClient(HealthDefinition, channel));
  for (const client of [main, plain])
    for (const service of ['', 'ftft.v1.FtftService']) assert.equal((await client.check({service})).status, serving);
  await assert.rejects(plain.check({service: 'other'}), /NOT_FOUND/);
  const watch = plain.watch({service: 'ftft.v1.FtftService'})[Symbol.asyncIterator]();
  assert.equal((await watch.next()).value.status, serving);
  const next = watch.next();
  const draining = server.servers.drain();
  assert.equal((await next).value.status, notServing);
  await watch.return?.();
  await draining;
});

test('nothing but health answers on the health port', async t => {
  const {servers} = await startTestServer(t);
  const channel = createChannel(`127.0.0.1:${servers.ports.health}`);
  t.after(() => channel.close());
  await assert.rejects(createClient(FtftServiceDefinition, channel).listRuns({}), /UNIMPLEMENTED/);
});

test('a port in use is one clear error that names the port and the variable', async t => {
  const {servers} = await startTestServer(t);
  const {grpc, http, health} = servers.ports;
  const taken = {
    FTFT_GRPC_PORT: {grpcPort: grpc},
    FTFT_HTTP_PORT: {httpPort: http},
    FTFT_HEALTH_PORT: {healthPort: health},
  };
  for (const [variable, ports] of Object.entries(taken)) {
    const [port] = Object.values(ports);
    await assert.rejects(startTestServer(t, ports), (error: FtftError) => {
      assert.equal(error.details.reason, 'PORT_IN_USE');
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}: the port is in use; set ${variable}`));
      return true;
    });
  }
});

test('a host beyond loopback is refused without TLS and authentication unless that was asked for in words', () => {
  for (const host of ['127.0.0.1', '127.8.9.1', 'localhost', '::1']) assert.equal(checkHost(host, false), undefined);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.org', '127.evil.org']) {
    assert.throws(() => checkHost(host, false), /FTFT_ALLOW_INSECURE=1/);
    assert.equal(checkHost(host, true), 'TLS and authentication');
    const half = {isTls: true, isAuthenticated: false};
    assert.throws(() => checkHost(host, false, half), /without authentication the service/);
    assert.equal(checkHost(host, true, half), 'authentication');
    assert.equal(checkHost(host, false, {isTls: true, isAuthenticated: true}), undefined);
  }
});

const get = (server: TestServer, path: string, init?: RequestInit) =>
  fetch(`http://127.0.0.1:${server.servers.ports.http}${path}`, init);

test('/healthz answers while the server serves, and other paths and methods are refused', async t => {
  const server = await startTestServer(t);
  assert.equal((await get(server, '/healthz')).status, 200);
  for (const path of ['/', '//', '//[']) assert.equal((await get(server, path)).status, 404, path);
  assert.equal((await get(server, '/metrics', {method: 'POST'})).status, 405);
});

test('/metrics holds runs by kind and state, durations of RPCs, the build, and no misnamed gauge', async t => {
  const server = await startTestServer(t);
  server.runs.records.set('ref', runRecord('ref'));
  await server.client.getRun({name: 'runs/ref'});
  assert.equal(reasonOf(await errorOf(server.client.getRun({name: 'x'}))), 'INVALID_FIELD');
  const text = await (await get(server, '/metrics')).text();
  assert.match(text, /^ftft_runs{kind="reference",state="pending"} 1$/m);
  for (const code of ['OK', 'INVALID_ARGUMENT'])
    assert.ok(
      text.includes(
        `rpc_server_call_duration_seconds_count{rpc_method="ftft.v1.FtftService/GetRun",rpc_status_code="${code}"} 1`,
      ),
    );
  assert.match(text, /^ftft_build_info{version="0\.0\.0",commit="none",tensorflow="none",node="\d+\.\d+\.\d+"} 1$/m);
  assert.doesNotMatch(text, /nodejs_active_\w+_total/);
  for (const name of [
    'instances_total',
    'tokens_total',
    'steps_total',
    'flops_total',
    'accelerator_seconds_total',
    'loss',
  ])
    assert.ok(text.includes(`# TYPE ftft_training_${name} `), name);
});

const promtool = await new Promise<false | string>(resolve => {
  execFile('promtool', ['--version'], error =>
    resolve(error ? 'needs promtool on the PATH: apt-get install prometheus' : false),
  );
});

test('promtool finds nothing to object to in /metrics', {skip: promtool}, async t => {
  const server = await startTestServer(t);
  await server.client.listRuns({});
  const text = await (await get(server, '/metrics')).text();
  const output = await new Promise<string>((resolve, reject) => {
    const child = execFile('promtool', ['check', 'metrics'], (error, stdout, stderr) =>
      error ? reject(new Error(stdout + stderr)) : resolve(stdout + stderr),
    );
    child.stdin?.end(text);
  });
  assert.equal(output, '');
});

test('reflection can be switched off, or bound to a port with nothing else on it; metrics can be switched off', async t => {
  const asksOn = async (port: number) => {
    const channel = createChannel(`127.0.0.1:${port}`);
    t.after(() => channel.close());
    const client = createClient(reflectionDefinition('v1'), channel);
    const asking = (async function* () {
      // list_services: ''
      yield {bytes: Buffer.from([0x3a, 0]), host: '', ask: undefined};
    })();
    for await (const answer of client.serverReflectionInfo(asking)) return answer.length > 0;
    return false;
  };
  const on = await startTestServer(t);
  assert.equal(await asksOn(on.servers.ports.grpc), true);
  const off = await startTestServer(t, {reflection: 'off', servesMetrics: false});
  await assert.rejects(asksOn(off.servers.ports.grpc), /UNIMPLEMENTED/);
  assert.equal((await get(off, '/metrics')).status, 404);
  assert.equal((await get(off, '/healthz')).status, 200);
  const apart = await startTestServer(t, {reflection: 0});
  await assert.rejects(asksOn(apart.servers.ports.grpc), /UNIMPLEMENTED/);
  const port = apart.servers.ports.reflection!;
  assert.equal(await asksOn(port), true);
  const channel = createChannel(`127.0.0.1:${port}`);
  t.after(() => channel.close());
  await assert.rejects(createClient(FtftServiceDefinition, channel).listRuns({}), /UNIMPLEMENTED/);
});

test('a peer that neither speaks nor reads does not hold up the drain', async t => {
  const {servers} = await startTestServer(t, {drainMs: 100});
  const socket = connect(servers.ports.grpc, '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  const started = performance.now();
  await servers.drain();
  assert.ok(performance.now() - started < 3000);
});
