// Early stopping of main runs: what is kept, what is told, and that neither kills nor restarts change any of it.
import assert from 'node:assert/strict';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {FtftError} from '../../src/errors.js';
import {watchRounds} from '../../src/pipeline/early-stopping.js';
import type {MainCreation} from '../../src/runs/api.js';
import {createRuns, type RunsOptions, type RunsWithLife} from '../../src/runs/create-runs.js';
import type {RunRecord, StoredEvent} from '../../src/runs/types.js';
import {faults} from './support/faults.js';
import {KilledServer} from './support/killed-server.js';
import {
  allEvents,
  bytes,
  creation,
  digests,
  header,
  importPets,
  lines,
  openRuns,
  runsOptions,
  temporaryFolder,
  waitForEnd,
} from './support/open-runs.js';

/** On all 60 instances, 15 steps an epoch; rounds fall inside epochs and at their ends. */
const stopping = (changes: Partial<MainCreation> = {}, spec: object = {}): MainCreation => ({
  ...creation({epochs: 16, learningRate: 0.1, evaluationIntervalSteps: 5, ...spec}, {id: 'main'}),
  dataMap: '',
  method: 'erm',
  earlyStopping: {metric: 'loss', patience: 3},
  ...changes,
});

async function started(t: TestContext, options?: RunsOptions): Promise<RunsWithLife> {
  const runs = await openRuns(t, options);
  await importPets(runs);
  runs.start();
  return runs;
}

const weights = (run: RunRecord): Buffer => readFileSync(join(fileURLToPath(run.modelUri!), 'model.safetensors'));
const roundsOf = (events: StoredEvent[]) =>
  events.flatMap(({event}) => (event.kind === 'evaluations-made' ? [event] : []));

test('a run that gets no better ends early, and keeps the weights and the evaluations of its best round', async t => {
  const runs = await started(t);
  const accepted = await runs.fineTuneMain(stopping());
  assert.deepEqual(accepted.earlyStopping, {
    ...{metric: 'loss', aggregate: 'mean', splits: ['ood'], patience: 3, evaluationIntervalSteps: 5},
  });
  assert.deepEqual([accepted.method, accepted.dataMap, accepted.progress.totalSteps], ['erm', undefined, 240]);
  const run = await waitForEnd(runs, 'main');
  assert.equal(run.state, 'SUCCEEDED', run.error?.message);
  const {steps, keptSteps, stoppedEarly} = run.progress;
  const made = roundsOf(await allEvents(runs, 'main'));
  const rounds = made.map(({evaluations}) => evaluations);
  const watch = watchRounds(rounds, accepted.earlyStopping!);
  assert.ok(stoppedEarly && watch.isOver);
  assert.deepEqual([steps, keptSteps], [5 * rounds.length, watch.bestSteps]);
  assert.ok(keptSteps > 15 && keptSteps % 15 > 0 && keptSteps === steps - 15, `best at ${keptSteps} of ${steps}`);
  assert.deepEqual(
    run.evaluations,
    rounds.find(([{steps}]) => steps === keptSteps),
  );
  made.forEach((event, i) => {
    assert.deepEqual(event.watch, watchRounds(rounds.slice(0, i + 1), accepted.earlyStopping!));
  });

  const longer = await waitAll(runs, stopping({id: 'exact', earlyStopping: undefined, budget: {maxSteps: keptSteps}}));
  const schedule = {scheduleSpan: 'ERM_LENGTH' as const};
  const cut = await waitAll(
    runs,
    stopping({id: 'cut', earlyStopping: undefined, budget: {maxSteps: keptSteps}}, schedule),
  );
  assert.deepEqual(weights(run), weights(cut), 'the weights after so many steps of the same schedule');
  assert.notDeepEqual(weights(run), weights(longer), 'a schedule of the budget alone is another');
  const folder = join(fileURLToPath(run.modelUri!), '..');
  assert.deepEqual(readdirSync(folder), ['model'], 'no weights of rounds stay behind');
});

async function waitAll(runs: RunsWithLife, request: MainCreation): Promise<RunRecord> {
  await runs.fineTuneMain(request);
  return waitForEnd(runs, request.id!);
}

test('a run that is killed again and again stops where an undisturbed one does, with the same weights', async t => {
  const request = stopping({earlyStopping: {metric: 'loss', patience: 4}}, {seed: faults.slow, maxAttempts: 1000});
  const calm = await started(t);
  const undisturbed = await waitAll(calm, request);
  assert.ok(undisturbed.progress.stoppedEarly);

  const options = await runsOptions(await temporaryFolder(t));
  const opened = await createRuns(options);
  await importPets(opened);
  await opened.fineTuneMain(request);
  await opened.close({graceMs: 0});
  const server = new KilledServer(options);
  t.after(() => server.end());
  for (let kill = 0; kill < 4; kill++) await server.killSoon(kill % 2 === 0 ? 'server' : 'trainer');
  assert.equal(await server.untilEnd(), 'SUCCEEDED');

  const after = await createRuns(options);
  t.after(() => after.close({graceMs: 0}));
  const run = await after.getRun('main');
  assert.ok(run.attempt > 2, `${run.attempt} attempts`);
  assert.deepEqual(run.progress, undisturbed.progress);
  assert.deepEqual(run.evaluations, undisturbed.evaluations);
  assert.deepEqual(weights(run), weights(undisturbed));
  const [events, calmEvents] = [await allEvents(after, 'main'), await allEvents(calm, 'main')];
  assert.deepEqual(digests(events), digests(calmEvents));
  assert.deepEqual(roundsOf(events).at(-1)?.watch, roundsOf(calmEvents).at(-1)?.watch);
});

test('test splits are evaluated once, with the weights of the best round, and are watched by nothing', async t => {
  const runs = await started(t);
  await runs.importDataset({...header, split: 'exam', isOutOfDistribution: true}, bytes(lines(12, 'x')));
  const plain = await waitAll(runs, stopping({id: 'plain'}, {evaluationSplits: ['ood', 'exam']}));
  const run = await waitAll(runs, stopping({}, {testSplits: ['exam']}));
  assert.deepEqual(
    [run.spec.evaluationSplits, run.earlyStopping?.splits],
    [['ood'], ['ood']],
    'all but the test split',
  );
  const {keptSteps} = run.progress;
  assert.deepEqual(
    run.evaluations.map(({split, steps}) => [split, steps]),
    [
      ['ood', keptSteps],
      ['exam', keptSteps],
    ],
  );
  const watched = await waitAll(
    runs,
    stopping(
      {id: 'at', earlyStopping: undefined, budget: {maxSteps: keptSteps}},
      {
        ...{scheduleSpan: 'ERM_LENGTH', evaluationSplits: ['exam']},
      },
    ),
  );
  assert.equal(run.evaluations[1].loss, watched.evaluations[0].loss, 'of the weights after so many steps');
  const made = roundsOf(await allEvents(runs, 'main'));
  assert.equal(made.filter(({evaluations}) => evaluations.some(({split}) => split === 'exam')).length, 1);
  assert.ok(run.cost.phases!.evaluation.flops < plain.cost.phases!.evaluation.flops);
});

test('without early stopping a run keeps its last weights and evaluations', async t => {
  const runs = await started(t);
  const run = await waitAll(runs, stopping({earlyStopping: undefined, budget: {maxSteps: 25}}));
  assert.deepEqual([run.progress.steps, run.progress.keptSteps, run.progress.stoppedEarly], [25, 25, false]);
  assert.equal(run.evaluations[0].steps, 25);
  assert.equal(run.earlyStopping, undefined);
});

test('what cannot be is refused by the names of its fields', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  const fieldsOf = async (changes: Partial<MainCreation>, spec: object = {}) => {
    const error = await runs.fineTuneMain(stopping(changes, spec)).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (!(error instanceof FtftError)) throw error ?? new Error('it was accepted');
    return error.details.violations?.map(({field}) => field);
  };
  const early = (earlyStopping: MainCreation['earlyStopping']) => ({earlyStopping});
  assert.deepEqual(await fieldsOf(early({patience: 0})), ['early_stopping.patience']);
  assert.deepEqual(await fieldsOf(early({splits: ['ood', 'train']})), ['early_stopping.splits[1]']);
  assert.deepEqual(await fieldsOf(early({splits: ['ood', 'ood']})), ['early_stopping.splits']);
  assert.deepEqual(await fieldsOf(early({evaluationIntervalSteps: 0})), ['early_stopping.evaluation_interval_steps']);
  assert.deepEqual(await fieldsOf(early({}), {evaluationSplits: []}), ['early_stopping']);
  assert.deepEqual(await fieldsOf({}, {evaluationSplits: ['ood'], testSplits: ['ood']}), ['spec.test_splits']);
  assert.deepEqual(await fieldsOf({}, {testSplits: ['exam', 'exam']}), [
    'spec.test_splits',
    'spec.test_splits[0]',
    'spec.test_splits[1]',
  ]);
  assert.deepEqual(await fieldsOf({budget: {maxSteps: 241}}, {scheduleSpan: 'ERM_LENGTH'}), ['spec.schedule_span']);
  assert.deepEqual(await runs.countRuns(), []);
});
