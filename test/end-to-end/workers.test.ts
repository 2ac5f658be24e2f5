// Workers in processes of their own, over SQLite and over a real PostgreSQL: killed, hanging, told to stop; a run ends as if nothing
// had happened.
import assert from 'node:assert/strict';
import type {ChildProcess} from 'node:child_process';
import {readFileSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {after, before, type TestContext, test} from 'node:test';
import {setTimeout as wait} from 'node:timers/promises';
import {createChannel, createClient} from 'nice-grpc';
import {HealthDefinition} from 'nice-grpc-server-health';
import type {FtftServiceClient} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {type Run, Run_State} from '../../src/server/gen/ftft/v1/run.js';
import {importText} from '../support/import-text.js';
import {type PostgresServer, startPostgres} from '../support/postgres.js';
import {
  type OwnProcess,
  type ServerProcess,
  startServer,
  startWorker,
  temporaryFolder,
  withFolder,
} from '../support/server-process.js';
import {collect, readDynamics, waitForEnd, weightsDigest} from '../support/small-run.js';
import {tinyLines, writeTinyModel} from '../support/tiny-model.js';

const name = 'runs/reference';
const numTrain = 120;
const spec = {
  ...{
    dataset: 'datasets/pets',
    model: 'local:tiny',
    epochs: 30,
    batchSize: 4,
    maxLength: 12,
    learningRate: 1e-3,
    seed: 5,
  },
  evaluationSplits: ['ood'],
  evaluationIntervalSteps: 200,
};
const models = temporaryFolder();
const postgres: PostgresServer | string = await startPostgres().catch((error: Error) => error.message);
let undisturbed: {digests: string[]; weights: string; evaluations: Run['evaluations']};

before(async () => {
  await writeTinyModel(join(models, 'tiny'));
  undisturbed = await withFolder(async folder => {
    const server = await startServer(folder, {FTFT_MODEL_DIR: models});
    await begin(server.client);
    const run = await waitForEnd(server.client, name);
    assert.equal(run.state, Run_State.STATE_SUCCEEDED, run.error?.message);
    const {digests} = readDynamics(await collect(server.client, {name}));
    await server.stop();
    return {digests, weights: weightsDigest(run), evaluations: run.evaluations};
  });
  assert.equal(undisturbed.digests.length, spec.epochs);
});
after(async () => {
  rmSync(models, {recursive: true, force: true});
  if (typeof postgres !== 'string') await postgres.stop();
});

const skip = typeof postgres === 'string' ? `no PostgreSQL can be started: ${postgres}` : false;

test('SQLite: a worker is killed, and the next one told to stop: others go on, as if nothing had happened', async t => {
  const {server, start} = await open(t);
  const {client} = server;
  const killed = await start();
  await begin(client, {maxAttempts: 2});
  await until(client, run => run.progress!.committedEpochs >= 2);
  assert.equal(childrenOf(server.child).length, 0, 'the server does not train');
  assert.equal(childrenOf(killed.child).length, 1, 'the worker does');
  await killed.kill();
  const stopped = await start();
  const {progress} = await until(client, run => run.attempt === 2);
  const {cost} = await until(client, run => run.progress!.steps > progress!.steps + 40);
  assert.equal(await stopped.stop(), 0);
  const between = await client.getRun({name});
  assert.equal(between.state, Run_State.STATE_PENDING, 'it was handed back');
  assert.ok(between.progress!.steps > progress!.steps + 40, 'with its work');
  assert.ok(between.cost!.trainedInstances >= cost!.trainedInstances);
  await start();
  await assertAsUndisturbed(server, {attempts: 3});
});

test('PostgreSQL: a run whose worker hangs is taken over and suspended; the worker comes back and changes nothing', {
  skip,
}, async t => {
  const {server, start} = await open(t, await (postgres as PostgresServer).database());
  const {client} = server;
  const workers = [await start(), await start()];
  await begin(client);
  await until(client, run => run.progress!.committedEpochs >= 1);
  const hanging = workers.find(({child}) => childrenOf(child).length > 0)!;
  const [other] = workers.filter(worker => worker !== hanging);
  hanging.child.kill('SIGSTOP');
  await until(client, run => run.attempt === 2);
  hanging.child.kill('SIGCONT');
  await until(client, run => run.progress!.steps > 0 && run.progress!.trainLoss !== undefined);
  await client.suspendRun({name});
  const suspended = await until(client, run => run.state === Run_State.STATE_SUSPENDED);
  assert.equal(childrenOf(other.child).length, 0, 'its worker is free');
  assert.equal((await client.suspendRun({name})).etag, suspended.etag, 'once more changes nothing');
  await client.resumeRun({name});
  await assertAsUndisturbed(server, {attempts: 3});
  for (const worker of workers) assert.equal(await worker.stop(), 0);
});

test('a worker serves health and metrics, and is not ready while its database is away', {
  skip,
}, async t => {
  const database = await startPostgres();
  t.after(() => database.stop());
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, {recursive: true, force: true}));
  const worker = await startWorker(folder, {FTFT_DATABASE_URL: await database.database()});
  t.after(() => worker.kill());
  const {http, health, grpc} = worker.ports;
  assert.equal(grpc, undefined, 'it takes no calls');
  assert.match(await (await fetch(`http://${http}/metrics`)).text(), /^ftft_build_info/m);
  const channel = createChannel(health);
  t.after(() => channel.close());
  const probe = createClient(HealthDefinition, channel);
  const becomes = async (expected: number) => {
    while ((await probe.check({service: 'ftft.Worker'})).status !== expected) await wait(50);
  };
  await becomes(1);
  await database.kill();
  await becomes(2);
  assert.equal((await probe.check({service: ''})).status, 1, 'alive it is');
  await database.start();
  await becomes(1);
});

/** A server that takes calls and trains nothing, and workers beside it. */
async function open(t: TestContext, databaseUrl = '') {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, {recursive: true, force: true, maxRetries: 5}));
  const env = {FTFT_MODEL_DIR: models, FTFT_DATABASE_URL: databaseUrl};
  const server = await startServer(folder, {...env, FTFT_ROLE: 'api'});
  t.after(() => server.stop());
  const start = async (): Promise<OwnProcess> => {
    const worker = await startWorker(folder, env);
    t.after(() => worker.kill());
    return worker;
  };
  return {server, start};
}

async function begin(client: FtftServiceClient, more = {}): Promise<void> {
  const header = {columns: {text: 'text', textPair: '', label: 'label', id: 'uid'}};
  await importText(client, header, tinyLines(numTrain).join('\n'));
  await importText(client, {...header, split: 'ood', outOfDistribution: true}, tinyLines(20).join('\n'));
  await client.trainReference({runId: 'reference', spec: {...spec, ...more}});
}

/** Looks often: on a fast machine the run may be over within a second. */
async function until(client: FtftServiceClient, holds: (run: Run) => boolean): Promise<Run> {
  for (;;) {
    const run = await client.getRun({name});
    if (holds(run)) return run;
    assert.equal(run.endTime, undefined, `the run ended too soon: ${run.error?.message}`);
    await wait(10);
  }
}

async function assertAsUndisturbed({client}: ServerProcess, {attempts}: {attempts: number}): Promise<Run> {
  const run = await waitForEnd(client, name);
  assert.equal(run.state, Run_State.STATE_SUCCEEDED, run.error?.message);
  const {digests, sequences, numDiscards} = readDynamics(await collect(client, {name}));
  assert.deepEqual(digests, undisturbed.digests);
  assert.equal(weightsDigest(run), undisturbed.weights);
  assert.deepEqual(run.evaluations, undisturbed.evaluations);
  assert.deepEqual(
    sequences,
    sequences.map((_, i) => i + 1),
    'the log has no gap',
  );
  assert.equal(run.attempt, attempts);
  assert.equal(numDiscards, attempts - 1, 'readers are told of each attempt that ended early');
  return run;
}

function childrenOf({pid}: ChildProcess): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
}
