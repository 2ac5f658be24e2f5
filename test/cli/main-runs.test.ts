// ftft fine-tune-main against a service in memory: methods, early stopping and schedules as words, and what is said of a run that ended early.
import assert from 'node:assert/strict';
import {after, before, beforeEach, test} from 'node:test';
import type {FineTuneMainRequest} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {
  EarlyStopping_Aggregate,
  EarlyStopping_Metric,
  Method,
  Run_Kind,
  Run_State,
  RunWarning_Code,
  ScheduleSpan,
} from '../../src/server/gen/ftft/v1/run.js';
import {addRun, type FakeService, startFakeService} from './support/fake-service.js';
import {run} from './support/terminal.js';

let fake: FakeService;
before(async () => {
  fake = await startFakeService();
});
after(() => fake.stop());
beforeEach(async () => {
  fake.runs.clear();
  fake.maps.clear();
  addRun(fake, 'ref', Run_Kind.KIND_REFERENCE, {dataset: 'datasets/demo'});
  await run(fake.address, ['build-data-map', 'ref']);
  fake.requests.length = 0;
});
const fineTune = (...options: string[]) => run(fake.address, ['fine-tune-main', 'map-1', ...options]);
const lastRequest = () => fake.requests.at(-1)!.request as FineTuneMainRequest;

test('nothing is asked for that was not given', async () => {
  assert.equal((await fineTune()).exitCode, 0);
  const {method, earlyStopping, spec} = lastRequest();
  assert.equal(method, Method.METHOD_UNSPECIFIED);
  assert.equal(earlyStopping, undefined);
  assert.equal(spec?.scheduleSpan, ScheduleSpan.SCHEDULE_SPAN_UNSPECIFIED);
});

test('a method, a schedule and early stopping are asked for by their words', async () => {
  const {exitCode} = await fineTune(
    ...['--method', 'hard-to-learn', '--schedule-span', 'erm-length', '--early-stopping', '--patience', '3'],
    ...['--watch', 'a,b', '--watch-metric', 'macro-f1', '--watch-aggregate', 'worst'],
  );
  assert.equal(exitCode, 0);
  const {method, earlyStopping, spec} = lastRequest();
  assert.equal(method, Method.METHOD_HARD_TO_LEARN);
  assert.equal(spec?.scheduleSpan, ScheduleSpan.SCHEDULE_SPAN_ERM_LENGTH);
  assert.deepEqual(earlyStopping, {
    ...{metric: EarlyStopping_Metric.METRIC_MACRO_F1, aggregate: EarlyStopping_Aggregate.AGGREGATE_WORST},
    ...{splits: ['a', 'b'], patience: 3, evaluationIntervalSteps: 0},
  });
});

test('how to stop early without saying to is wrong usage, as is a method that there is none of', async () => {
  const {exitCode, err} = await fineTune('--patience', '3');
  assert.equal(exitCode, 2);
  assert.match(err, /Give --early-stopping too/);
  const other = await fineTune('--method', 'best');
  assert.equal(other.exitCode, 2);
  assert.match(other.err, /erm, data-map, ftft, random, hard-to-learn/);
  assert.equal(fake.requests.filter(({method}) => method === 'fineTuneMain').length, 0);
});

test('a run that ended early says after which step, with which weights, and of what it was warned', async () => {
  const warnings = [{code: RunWarning_Code.CODE_NOT_CONVERGING, message: 'It does not converge', steps: 30}];
  const progress = {steps: 1040, totalSteps: 2000, keptSteps: 840, stoppedEarly: true};
  addRun(fake, 'main', Run_Kind.KIND_MAIN, {}, {state: Run_State.STATE_SUCCEEDED, progress, warnings});
  const {out} = await run(fake.address, ['runs', 'get', 'main']);
  assert.match(out, /^stopped after step 1,040, with the weights of step 840$/m);
  assert.match(out, /^warning It does not converge$/m);
  addRun(fake, 'whole', Run_Kind.KIND_MAIN, {}, {state: Run_State.STATE_SUCCEEDED});
  assert.doesNotMatch((await run(fake.address, ['runs', 'get', 'whole'])).out, /stopped|warning/);
});
