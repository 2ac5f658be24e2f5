// Machines die: the real server training the real MiniLM is killed at random moments, and nothing is lost.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {before, test} from 'node:test';
import {Run_State} from '../../src/server/gen/ftft/v1/run.js';
import {type ServerProcess, startServer, withFolder} from '../support/server-process.js';
import {
  collect,
  importSentiment,
  type ReadDynamics,
  readDynamics,
  sha256,
  smallSpec,
  waitForEnd,
  waitUntil,
  weightsDigest,
} from '../support/small-run.js';

const numTrain = 128;
const totalSteps = (numTrain / 16) * 3;
const name = 'runs/reference';
let undisturbed: {dynamics: ReadDynamics; weights: string};

before(async () => {
  undisturbed = await withFolder(async folder => {
    const server = await startServer(folder);
    await start(server);
    const run = await waitForEnd(server.client, name);
    const result = {dynamics: readDynamics(await collect(server.client, {name})), weights: weightsDigest(run)};
    await server.stop();
    return result;
  });
});

test('an undisturbed run commits three epochs whose digests are those of their columns', () => {
  const {digests, pTrue, numDiscards} = undisturbed.dynamics;
  assert.equal(digests.length, 3);
  assert.equal(numDiscards, 0);
  assert.deepEqual(pTrue.map(sha256), digests);
  assert.ok(pTrue.every(column => column.length === numTrain * 4));
});

for (const killed of ['the trainer', 'the server'] as const) {
  for (const round of [1, 2]) {
    const killStep = Math.floor(1 + Math.random() * (totalSteps - 2));
    test(`${killed} killed by SIGKILL after about step ${killStep} loses nothing (round ${round})`, () =>
      withFolder(async folder => {
        let server = await startServer(folder);
        await start(server);
        await waitUntil(server.client, name, run => (run.progress?.steps ?? 0) >= killStep);
        if (killed === 'the trainer') process.kill(trainerOf(server), 'SIGKILL');
        else {
          await server.kill();
          server = await startServer(folder);
          const {runs} = await server.client.listRuns({});
          assert.deepEqual(
            runs.map(run => run.name),
            [name],
            'the restarted server lists its runs',
          );
        }
        const run = await waitForEnd(server.client, name);
        const events = await collect(server.client, {name});
        await assertSameAsUndisturbed(events, run.state, weightsDigest(run));
        assert.ok(run.attempt >= 2, `a lost attempt is marked: attempt ${run.attempt}`);
        assert.ok(readDynamics(events).numDiscards >= 1, 'readers are told what to drop');
        await server.stop();
      }));
  }
}

async function start({client}: ServerProcess): Promise<void> {
  await importSentiment(client, numTrain, 32);
  await client.trainReference({runId: 'reference', spec: smallSpec});
}

async function assertSameAsUndisturbed(events: Awaited<ReturnType<typeof collect>>, state: Run_State, weights: string) {
  const dynamics = readDynamics(events);
  assert.equal(state, Run_State.STATE_SUCCEEDED);
  assert.deepEqual(dynamics.digests, undisturbed.dynamics.digests);
  assert.deepEqual(dynamics.pTrue, undisturbed.dynamics.pTrue);
  assert.equal(weights, undisturbed.weights);
  assert.deepEqual(
    dynamics.sequences,
    dynamics.sequences.map((_, i) => i + 1),
    'the log has no gap',
  );
}

/** The server's only child is its trainer. */
function trainerOf({child}: ServerProcess): number {
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ');
  assert.equal(children.length, 1, `the server has one trainer, found ${children}`);
  return Number(children[0]);
}
