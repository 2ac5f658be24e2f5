import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {readCommittedEpochs} from '../../src/runs/committed-epochs.js';
import {createRuns} from '../../src/runs/create-runs.js';
import {silent} from '../../src/runs/logger.js';
import {Runner} from '../../src/runs/runner.js';
import {createSqlStore} from '../../src/runs/sql-store.js';
import {Sqlite} from '../../src/runs/sqlite.js';
import type {RunRecord} from '../../src/runs/types.js';
import {faults} from './support/faults.js';
import {KilledServer} from './support/killed-server.js';
import {
  allEvents,
  creation,
  digests,
  importPets,
  openRuns,
  runsOptions,
  temporaryFolder,
  waitForEnd,
} from './support/open-runs.js';

const numKills = 10;
const request = creation({seed: faults.slow, epochs: 16, maxAttempts: 1000, evaluationIntervalSteps: 20}, {id: 'run'});

test('the run of a worker that another cannot see goes on when its lease is over, long before the next turn', async t => {
  const options = {...(await runsOptions(await temporaryFolder(t))), leaseMs: 60_000};
  const runs = await createRuns(options);
  t.after(() => runs.close({graceMs: 0}));
  await importPets(runs);
  await runs.trainReference(request);
  const sqlite = new Sqlite(join(options.dataDir, 'ftft.db'));
  t.after(() => sqlite.close());
  await createSqlStore(sqlite).leases.claim('elsewhere~1~0~0', 1500);
  runs.start();
  const began = performance.now();
  while ((await runs.getRun('run')).attempt < 2) await sleep(20);
  // A turn comes every 20 s.
  assert.ok(performance.now() - began < 15_000);
});

const weights = (run: RunRecord): Buffer => readFileSync(join(fileURLToPath(run.modelUri!), 'model.safetensors'));

test(`a run whose server or trainer is killed ${numKills} times ends with the log and weights of an undisturbed one`, async t => {
  const calm = await openRuns(t);
  await importPets(calm);
  calm.start();
  await calm.trainReference(request);
  const undisturbed = await waitForEnd(calm, 'run');

  const options = await runsOptions(await temporaryFolder(t));
  const opened = await createRuns(options);
  await importPets(opened);
  await opened.trainReference(request);
  await opened.close({graceMs: 0});
  const server = new KilledServer(options);
  t.after(() => server.end());
  for (let kill = 0; kill < numKills; kill++) await server.killSoon(kill % 2 === 0 ? 'server' : 'trainer');
  assert.equal(await server.untilEnd(), 'SUCCEEDED');

  const after = await createRuns(options);
  t.after(() => after.close({graceMs: 0}));
  const run = await after.getRun('run');
  const events = await allEvents(after, 'run');
  assert.deepEqual(digests(events), digests(await allEvents(calm, 'run')));
  assert.equal(digests(events).length, 16);
  assert.deepEqual(weights(run), weights(undisturbed));
  assert.deepEqual(run.evaluations, undisturbed.evaluations);
  assert.deepEqual(
    events.map(({sequence}) => sequence),
    events.map((_, i) => i + 1),
  );
  const attempts = events.map(({attempt}) => attempt);
  assert.deepEqual(
    attempts,
    attempts.toSorted((a, b) => a - b),
  );
  const numDiscards = events.filter(({event}) => event.kind === 'epochs-discarded').length;
  assert.equal(numDiscards, run.attempt - 1, 'each lost attempt is told once');
  assert.ok(run.attempt > numKills / 2, `${run.attempt} attempts`);
  assert.ok(run.cost.wastedAcceleratorMs > 0 && run.cost.trainedInstances > undisturbed.cost.trainedInstances);

  const sqlite = new Sqlite(join(options.dataDir, 'ftft.db'));
  const epochs = await readCommittedEpochs(createSqlStore(sqlite).log, 'run');
  await sqlite.close();
  assert.equal(epochs.length, 16, 'the log reads back as whole epochs, whose digests are checked');
});

test('a lease that its holder renews after a sweep looked at it is left alone', async t => {
  const options = {...(await runsOptions(await temporaryFolder(t))), leaseMs: 60_000};
  const runs = await createRuns(options);
  t.after(() => runs.close({graceMs: 0}));
  await importPets(runs);
  await runs.trainReference(request);
  const sqlite = new Sqlite(join(options.dataDir, 'ftft.db'));
  t.after(() => sqlite.close());
  const store = createSqlStore(sqlite);
  const {attempt} = (await store.leases.claim('elsewhere~1~0~0', 1))!.run;
  await sleep(20);
  let numLooks = 0;
  const leases = new Proxy(store.leases, {
    get:
      (target, name: keyof typeof store.leases) =>
      async (...args: never[]) => {
        const found = await (target[name] as (...args: never[]) => Promise<unknown>).call(target, ...args);
        if (name === 'findLost' && numLooks++ === 0) await target.renew({runId: 'run', attempt}, 60_000);
        return found;
      },
  });
  const runner = new Runner({
    ...{store: {...store, transaction: store.transaction.bind(store), leases}, owner: 'us', accelerators: []},
    ...{leaseMs: 60_000, isDead: () => false, logger: silent, onAppended() {}, onStep() {}},
  } as unknown as ConstructorParameters<typeof Runner>[0]);
  runner.start();
  while (numLooks < 2) await sleep(5);
  await runner.close(0);
  const {run} = (await store.runs.get('run'))!;
  assert.deepEqual([run.state, run.attempt], ['RUNNING', attempt]);
});
