import assert from 'node:assert/strict';
import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import type {StoredEvent} from '../../src/runs/types.js';
import {allEvents, creation, digests, importPets, openRuns, waitForEnd} from './support/open-runs.js';

test('a reference run trains in a child process, logs every epoch and leaves its model', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  const heard: StoredEvent[] = [];
  const steps: number[] = [];
  runs.onEvent((_, event) => heard.push(event));
  runs.onStep(step => steps.push(step.steps));
  runs.start();
  const accepted = await runs.trainReference(creation({}, {id: 'first'}));
  assert.equal(accepted.state, 'PENDING');
  const run = await waitForEnd(runs, 'first');
  assert.equal(run.error, undefined);
  assert.equal(run.state, 'SUCCEEDED');
  assert.deepEqual(
    steps,
    Array.from({length: 45}, (_, i) => i + 1),
  );
  const {committedEpochs, totalEpochs, totalSteps, keptSteps} = run.progress;
  assert.deepEqual(
    {committedEpochs, totalEpochs, totalSteps, keptSteps},
    {committedEpochs: 3, totalEpochs: 3, totalSteps: 45, keptSteps: 45},
  );
  const events = await allEvents(runs, 'first');
  assert.deepEqual(heard, events);
  assert.deepEqual(
    events.map(({sequence}) => sequence),
    events.map((_, i) => i + 1),
  );
  const kinds = events.map(({event}) => (event.kind === 'run-changed' ? event.run.state : event.kind));
  const epoch = ['epoch-started', 'chunk', 'epoch-committed', 'evaluations-made'];
  assert.deepEqual(kinds, ['PENDING', 'RUNNING', ...epoch, ...epoch, ...epoch, 'SUCCEEDED']);
  assert.equal(digests(events).length, 3);
  const [evaluation] = run.evaluations;
  assert.deepEqual(
    {
      split: evaluation.split,
      isOod: evaluation.isOutOfDistribution,
      steps: evaluation.steps,
      count: evaluation.instanceCount,
    },
    {split: 'ood', isOod: true, steps: 45, count: 20},
  );
  assert.ok(run.cost.flops > 0 && run.cost.trainedInstances === 180 && run.cost.acceleratorMs > 0);
  const folder = fileURLToPath(run.modelUri!);
  assert.ok(existsSync(join(folder, 'model.safetensors')) && existsSync(join(folder, 'vocab.txt')));
  await runs.close({graceMs: 0});
  assert.deepEqual(readdirSync(join(folder, '..')), ['model'], 'no checkpoint stays');
});
