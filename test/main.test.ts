import assert from 'node:assert/strict';
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {type AddressInfo, createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {type TestContext, test} from 'node:test';
import {createChannel, createClient} from 'nice-grpc';
import {FtftServiceDefinition} from '../src/server/gen/ftft/v1/ftft_service.js';

/** The real process over an empty data folder, with every port free. */
async function spawnMain(t: TestContext, env: NodeJS.ProcessEnv = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'ftft-main-'));
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
    env: {
      ...process.env,
      ...{FTFT_DATA_DIR: dataDir, FTFT_GRPC_PORT: '0', FTFT_HTTP_PORT: '0', FTFT_HEALTH_PORT: '0', FTFT_OFFLINE: '1'},
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = {stderr: ''};
  child.stderr.on('data', chunk => {
    output.stderr += chunk;
  });
  t.after(async () => {
    if (child.exitCode === null) child.kill('SIGKILL');
    await rm(dataDir, {recursive: true, force: true});
  });
  return {child, output};
}

interface Listening {
  event: string;
  grpc: string;
  http: string;
  health: string;
}

async function listening(child: ChildProcess): Promise<Listening> {
  for await (const line of createInterface({input: child.stdout!})) return JSON.parse(line) as Listening;
  throw new Error('the server said nothing');
}

const exitOf = async (child: ChildProcess): Promise<number | null> =>
  child.exitCode ?? ((await once(child, 'exit')) as [number | null])[0];

test('the server says its ports in one line, serves without TensorFlow in its process, and drains on SIGTERM', async t => {
  const {child, output} = await spawnMain(t);
  const {event, grpc, http, health} = await listening(child);
  assert.equal(event, 'listening');
  for (const address of [grpc, http, health]) assert.match(address, /^127\.0\.0\.1:[1-9]\d*$/);
  const channel = createChannel(grpc);
  t.after(() => channel.close());
  assert.deepEqual(await createClient(FtftServiceDefinition, channel).listRuns({}), {runs: [], nextPageToken: ''});
  assert.match(await (await fetch(`http://${http}/metrics`)).text(), /^ftft_build_info{version="0\.1\.0"/m);
  assert.doesNotMatch(readFileSync(`/proc/${child.pid}/maps`, 'utf8'), /libtensorflow|tfjs_binding/);
  child.kill('SIGTERM');
  assert.equal(await exitOf(child), 0);
  assert.match(output.stderr, /"signal":"SIGTERM","msg":"draining"/);
});

test('a port in use is one line on stderr and exit code 1', async t => {
  const occupant = createServer().listen(0, '127.0.0.1');
  await once(occupant, 'listening');
  t.after(() => occupant.close());
  const {port} = occupant.address() as AddressInfo;
  const {child, output} = await spawnMain(t, {FTFT_GRPC_PORT: String(port)});
  assert.equal(await exitOf(child), 1);
  assert.match(
    output.stderr,
    new RegExp(`^ftft: Cannot listen on 127\\.0\\.0\\.1:${port}: the port is in use; set FTFT_GRPC_PORT[^\\n]*\\n$`),
  );
});

test('a host beyond loopback and a wrong variable are one line and exit code 1, each', async t => {
  const wrong = {FTFT_HOST: '0.0.0.0', FTFT_GRPC_PORT: 'many'};
  for (const [name, value] of Object.entries(wrong)) {
    const {child, output} = await spawnMain(t, {[name]: value});
    assert.equal(await exitOf(child), 1);
    assert.match(output.stderr, /^ftft: Cannot [^\n]*\n$/);
  }
});
