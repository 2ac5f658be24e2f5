// The programs of deploy/clients, each in its own language, against one real server over TLS, through a network that breaks.
import assert from 'node:assert/strict';
import {rm} from 'node:fs/promises';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {stripVTControlCharacters} from 'node:util';
import {ChannelCredentials, createChannel, createClientFactory, Metadata} from 'nice-grpc';
import {type FtftServiceClient, FtftServiceDefinition} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {type Run, Run_Kind, Run_State} from '../../src/server/gen/ftft/v1/run.js';
import {roleTokens} from '../server/access/secure-client.js';
import {type Authority, makeAuthority, serverNames, withoutOpenssl} from '../support/certificates.js';
import {importText} from '../support/import-text.js';
import {type ServerProcess, startServer, temporaryFolder} from '../support/server-process.js';
import {readDynamics} from '../support/small-run.js';
import {tinyLines, writeTinyModel} from '../support/tiny-model.js';
import {type CuttingProxy, cuttingProxy} from './cutting-proxy.js';
import {lacks, prepare, runToEnd, toolchains} from './toolchains.js';

const folder = temporaryFolder();
const {tokens, file: authFile} = roleTokens();
const numInstances = 240;
let authority: Authority;
let server: ServerProcess;
let client: FtftServiceClient;
let proxy: CuttingProxy;

if (!withoutOpenssl) {
  before(async () => {
    authority = makeAuthority();
    const {certFile, keyFile} = authority.issue('server', ...serverNames);
    await writeTinyModel(join(folder, 'models', 'tiny'));
    server = await startServer(join(folder, 'data'), {
      ...{FTFT_MODEL_DIR: join(folder, 'models'), FTFT_CACHE_DIR: join(folder, 'cache'), FTFT_AUTH_FILE: authFile},
      ...{FTFT_TLS_CERT_FILE: certFile, FTFT_TLS_KEY_FILE: keyFile},
    });
    const channel = createChannel(
      `localhost:${server.address.split(':')[1]}`,
      ChannelCredentials.createSsl(authority.cert),
    );
    const metadata = Metadata({authorization: `Bearer ${tokens.trainer}`});
    client = createClientFactory().create(FtftServiceDefinition, channel, {'*': {metadata}});
    await importText(client, {}, tinyLines(numInstances).join('\n'));
    proxy = await cuttingProxy(server.address);
  });
  after(async () => {
    proxy?.close();
    await server?.stop();
    await rm(folder, {recursive: true, force: true, maxRetries: 3});
  });
}

for (const language of Object.keys(toolchains))
  test(`the ${language} program trains, watches through cut connections, maps and fine-tunes`, {
    skip: withoutOpenssl || lacks(language),
    timeout: 900_000,
  }, async () => {
    const program = await prepare(language);
    const known = new Set((await client.listRuns({})).runs.map(({name}) => name));
    const isNew = ({name, kind}: Run) => !known.has(name) && kind === Run_Kind.KIND_REFERENCE;
    const command = program(`localhost:${proxy.port}`, 'datasets/pets', 'local:tiny');
    const running = runToEnd({
      ...command,
      env: {...command.env, FTFT_CA_FILE: authority.certFile, FTFT_TOKEN: tokens.trainer},
    });
    const numCut = await cutWhileTraining(async () => (await client.listRuns({})).runs.find(isNew), running);
    const {code, output, stdout} = await running;
    assert.equal(code, 0, output);
    const numLost = output.split('connection lost').length - 1;
    assert.ok(numCut >= 1 && numLost >= numCut, `${numCut} connections were cut\n${output}`);

    const {runs} = await client.listRuns({});
    const [reference, main] = [
      runs.find(isNew)!,
      runs.find(({name, kind}) => !known.has(name) && kind === Run_Kind.KIND_MAIN)!,
    ];
    const events = [];
    for await (const event of client.streamDynamics({name: reference.name})) events.push(event);
    const means = readDynamics(events).pTrue.map(column => {
      const values = new Float32Array(Uint8Array.from(column).buffer);
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    });
    // Maven colours.
    const lines = stripVTControlCharacters(stdout).trim().split('\n');
    const told = lines.flatMap(
      line => /^epoch (\d+): mean p_true ([\d.]+)$/.exec(line.trim())?.slice(1).map(Number) ?? [],
    );
    assert.deepEqual(
      told.filter((_, i) => i % 2 === 0),
      [0, 1, 2],
      output,
    );
    for (const [epoch, mean] of means.entries())
      assert.ok(
        Math.abs(told[2 * epoch + 1] - mean) < 1e-4,
        `epoch ${epoch}: ${told[2 * epoch + 1]} instead of ${mean}`,
      );
    assert.deepEqual(
      lines.slice(-3).map(line => line.trim()),
      [
        'reference: STATE_SUCCEEDED, 3 epochs',
        `map: ${Math.round(0.33 * numInstances)} of ${numInstances} selected`,
        `main: STATE_SUCCEEDED, ${main.progress?.steps} steps`,
      ],
    );
    assert.equal(main.state, Run_State.STATE_SUCCEEDED);
  });

/** Cuts the connection up to three times while the program watches its reference, never while it makes something. */
async function cutWhileTraining(reference: () => Promise<Run | undefined>, ended: Promise<unknown>): Promise<number> {
  let isEnded = false;
  void ended.finally(() => {
    isEnded = true;
  });
  for (let numCut = 0; ; numCut++) {
    while (!isEnded && (await numSubscribers()) !== 1) await sleep(10);
    const run = await reference();
    // Far from the end of the run, and with it from the next call.
    if (isEnded || numCut === 3 || run === undefined || (run.progress?.committedEpochs ?? 0) > 1) return numCut;
    proxy.cut();
    while (!isEnded && (await numSubscribers()) !== 0) await sleep(10);
  }
}

async function numSubscribers(): Promise<number> {
  const metrics = await (await fetch(`http://${server.httpAddress}/metrics`)).text();
  return Number(/^ftft_stream_subscribers (\d+)/m.exec(metrics)?.[1]);
}
