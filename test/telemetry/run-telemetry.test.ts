import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import {type TestContext, test} from 'node:test';
import type {LogEvent, RunRecord} from '../../src/runs/types.js';
import {createLog} from '../../src/telemetry/log.js';
import {createRunTelemetry} from '../../src/telemetry/run-telemetry.js';
import {createTelemetry} from '../../src/telemetry/telemetry.js';
import {chunk, noCost, runRecord, time} from '../server/records.js';

function start(otlpEndpoint?: string) {
  const build = {version: '1.2.3', commit: 'abc', tensorflow: '2.21.0'};
  const telemetry = createTelemetry({log: createLog('silent'), countRuns: async () => [], build, otlpEndpoint});
  const runs = createRunTelemetry({
    ...telemetry,
    device: 'cpu',
  });
  let sequence = 0;
  const append = (run: RunRecord, event: LogEvent, attempt = 1) => {
    sequence++;
    runs.appended(run, {sequence, attempt, time: time + 1000 * sequence, event});
  };
  const step = (run: RunRecord) => runs.stepped({run, steps: run.progress.steps, loss: 9});
  const value = async (series: string) => {
    const line = (await telemetry.metrics.registry.metrics()).split('\n').find(text => text.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length));
  };
  return {telemetry, append, step, value};
}

const evaluation = {
  ...{split: 'tweets', isOutOfDistribution: true, accuracy: 0.75, macroF1: 0.7, loss: 0.5, instanceCount: 100},
  ...{steps: 20, committedEpochs: 2},
};

/** One attempt of two epochs and an evaluation; gives the run at its end. */
function train(
  {append, step}: Pick<ReturnType<typeof start>, 'append' | 'step'>,
  changes: Partial<RunRecord> = {},
): RunRecord {
  const at = (steps: number, more: Partial<RunRecord> = {}) => {
    const cost = {
      ...noCost,
      acceleratorMs: 100 * steps,
      trainedInstances: 32 * steps,
      trainedTokens: 640 * steps,
      flops: steps,
    };
    const progress = {...runRecord('x').progress, steps, trainLoss: 1 / (steps + 1)};
    return runRecord('run', {...changes, state: 'RUNNING', attempt: 1, startTime: time, cost, progress, ...more});
  };
  const pending = runRecord('run', changes);
  append(pending, {kind: 'run-changed', run: pending});
  append(at(0), {kind: 'run-changed', run: at(0)});
  for (const epoch of [0, 1]) {
    append(at(10 * epoch), {kind: 'epoch-started', epoch});
    step(at(10 * epoch + 4));
    append(at(10 * epoch + 10), chunk(epoch, 0, 0, 5));
    const committed = {epoch, chunkCount: 1, instanceCount: 5, digest: '', trainLoss: 0.5, steps: 10 * epoch + 10};
    append(at(10 * epoch + 10), {kind: 'epoch-committed', ...committed, cost: at(10 * epoch + 10).cost});
  }
  append(at(20), {kind: 'evaluations-made', evaluations: [evaluation], cost: at(20).cost});
  const ended = at(20, {state: 'SUCCEEDED', endTime: time + 60_000, evaluations: [evaluation]});
  append(ended, {kind: 'run-changed', run: ended});
  return ended;
}

test('energy counts where it is measured, and warnings by what they say', async () => {
  const {append, value} = start();
  const spent = (joules: number) =>
    runRecord('run', {state: 'RUNNING', cost: {...noCost, energy: {joules, source: 'RAPL'}}});
  append(spent(5), {kind: 'run-changed', run: spent(5)});
  append(spent(25), {kind: 'run-warned', warning: {code: 'NOT_CONVERGING', message: '', steps: 3}});
  assert.equal(await value('ftft_training_energy_joules_total{kind="reference",device="cpu"}'), 20);
  assert.equal(await value('ftft_run_warnings_total{kind="reference",code="NOT_CONVERGING"}'), 1);
});

test('a run counts its cost once, under its depth and selection', async () => {
  const {append, step, value} = start();
  train({append, step});
  const labels = 'kind="reference",model="minilm-l6@3"';
  assert.equal(await value(`ftft_training_accelerator_seconds_total{${labels},selection="all",device="cpu"}`), 2);
  assert.equal(await value(`ftft_training_steps_total{${labels}}`), 20);
  assert.equal(await value(`ftft_training_instances_total{${labels}}`), 640);
  assert.equal(await value(`ftft_training_tokens_total{${labels}}`), 12_800);
  assert.equal(await value(`ftft_training_flops_total{${labels}}`), 20);
  assert.equal(await value(`ftft_training_loss{${labels}}`), 1 / 15);
  assert.equal(await value('ftft_dynamics_instances_total'), 10);
  assert.equal(await value('ftft_epoch_duration_seconds_count{kind="reference",phase="train"}'), 2);
  assert.equal(await value('ftft_epoch_duration_seconds_count{kind="reference",phase="evaluate"}'), 1);
  assert.equal(await value('ftft_run_duration_seconds_sum{kind="reference",outcome="succeeded"}'), 60);
  const series = `${labels},selection="all",dataset="movies",split="tweets",ood="true"`;
  assert.equal(await value(`ftft_eval_accuracy_ratio{${series}}`), 0.75);
  assert.equal(await value(`ftft_eval_macro_f1_ratio{${series}}`), 0.7);
});

test('a main run carries the region of its map, and a whole checkpoint its bare name', async () => {
  const {append, step, value} = start();
  const spec = {...runRecord('x').spec, layers: 0};
  const selection = {criterion: {region: 'ambiguous'}, fraction: 0.33, rule: 'rank', seed: 0} as const;
  train({append, step}, {kind: 'MAIN', dataMap: 'map', selection, spec});
  const series = 'kind="main",model="minilm-l6",selection="ambiguous",device="cpu"';
  assert.equal(await value(`ftft_training_accelerator_seconds_total{${series}}`), 2);
});

test('a lost worker counts a lease, its waste, and the steps made again', async () => {
  const {append, value} = start();
  const at = (steps: number) => ({...runRecord('x').progress, steps});
  const begun = runRecord('run', {state: 'RUNNING', attempt: 1, progress: at(0)});
  const running = {...begun, progress: at(15)};
  append(runRecord('run'), {kind: 'run-changed', run: runRecord('run')});
  append(begun, {kind: 'run-changed', run: begun});
  append(running, {kind: 'epoch-started', epoch: 1});
  const back = runRecord('run', {
    progress: at(10),
    cost: {...noCost, wastedAcceleratorMs: 500},
  });
  append(back, {kind: 'epochs-discarded', firstEpoch: 1, steps: 10, reason: 'WORKER_LOST'});
  append(back, {kind: 'run-changed', run: back});
  const again = {...back, state: 'RUNNING', attempt: 2} as const;
  append(again, {kind: 'run-changed', run: again}, 2);
  append({...again, progress: at(15)}, {kind: 'epoch-started', epoch: 1}, 2);
  assert.equal(await value('ftft_lease_lost_total'), 1);
  assert.equal(await value('ftft_training_wasted_accelerator_seconds_total{kind="reference"}'), 0.5);
  assert.equal(await value('ftft_training_steps_total{kind="reference",model="minilm-l6@3"}'), 20);
});

test('an event that is appended behind later steps turns nothing back', async () => {
  const {append, step, value} = start();
  const at = (steps: number) =>
    runRecord('run', {
      state: 'RUNNING',
      attempt: 1,
      progress: {...runRecord('x').progress, steps},
      cost: {...noCost, trainedInstances: 8 * steps, flops: 100 * steps, energy: {joules: steps, source: 'RAPL'}},
    });
  append(at(0), {kind: 'run-changed', run: at(0)});
  step(at(5));
  append(at(3), {kind: 'epoch-started', epoch: 0});
  step(at(6));
  const labels = '{kind="reference",model="minilm-l6@3"}';
  assert.equal(await value(`ftft_training_steps_total${labels}`), 6);
  assert.equal(await value(`ftft_training_instances_total${labels}`), 48);
  assert.equal(await value(`ftft_training_flops_total${labels}`), 600);
  assert.equal(await value('ftft_training_energy_joules_total{kind="reference",device="cpu"}'), 6);
});

test('what another worker has spent on a run between two attempts of ours is not ours to count', async () => {
  const {append, value} = start();
  const at = (steps: number, changes: Partial<RunRecord>) =>
    runRecord('run', {...changes, progress: {...runRecord('x').progress, steps}});
  const put = (run: RunRecord, attempt: number) => append(run, {kind: 'run-changed', run}, attempt);
  put(at(0, {state: 'RUNNING', attempt: 1}), 1);
  append(at(5, {state: 'RUNNING', attempt: 1}), {kind: 'epoch-started', epoch: 1});
  put(at(5, {state: 'SUSPENDED', attempt: 1}), 1);
  put(at(100, {state: 'RUNNING', attempt: 3}), 3);
  append(at(107, {state: 'RUNNING', attempt: 3}), {kind: 'epoch-started', epoch: 4}, 3);
  assert.equal(await value('ftft_training_steps_total{kind="reference",model="minilm-l6@3"}'), 12);
});

test('a failed run counts under its reason, and every reason is there from the start', async () => {
  const {append, step, value} = start();
  assert.equal(await value('ftft_run_failures_total{kind="main",reason="LOSS_NOT_FINITE"}'), 0);
  const error = {code: 'INTERNAL', message: 'NaN', reason: 'LOSS_NOT_FINITE'} as const;
  const failed = runRecord('run', {kind: 'MAIN', state: 'FAILED', error, endTime: time});
  step(runRecord('run', {kind: 'MAIN'}));
  append(failed, {kind: 'run-changed', run: failed});
  assert.equal(await value('ftft_run_failures_total{kind="main",reason="LOSS_NOT_FINITE"}'), 1);
});

test('a run that an earlier process trained is not counted again', async () => {
  const {append, step, value} = start();
  const cost = {...noCost, acceleratorMs: 5000};
  append(runRecord('run', {state: 'RUNNING', cost}), {kind: 'epoch-started', epoch: 1});
  step(runRecord('run', {state: 'RUNNING', cost: {...cost, acceleratorMs: 6000}}));
  const series = 'kind="reference",model="minilm-l6@3",selection="all",device="cpu"';
  assert.equal(await value(`ftft_training_accelerator_seconds_total{${series}}`), 1);
});

interface ExportedSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  links?: {traceId: string; spanId: string}[];
  startTimeUnixNano: string;
  endTimeUnixNano: string;
}

/** A collector of OTLP/HTTP JSON. */
async function startCollector(t: TestContext) {
  const spans: ExportedSpan[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = JSON.parse(Buffer.concat(parts).toString());
    for (const {scopeSpans} of body.resourceSpans)
      for (const scope of scopeSpans) spans.push(...(scope.spans as ExportedSpan[]));
    response.writeHead(200, {'content-type': 'application/json'}).end('{}');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return {spans, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`};
}

test('an attempt is a root span linked to its RPC, with epochs and evaluations as children', async t => {
  const {spans, endpoint} = await startCollector(t);
  const {telemetry, append, step} = start(endpoint);
  const call = telemetry.callStarted('/ftft.v1.FtftService/TrainReference');
  const traceParent = call.trace(undefined)!;
  call.ended('OK');
  train({append, step}, {traceParent});
  await telemetry.spans.during('ftft.data_map', traceParent, {}, async () => {});
  await telemetry.spans.shutdown();

  const byName = (name: string) => spans.filter(span => span.name === name);
  const [rpc] = byName('ftft.v1.FtftService/TrainReference');
  const [run] = byName('ftft.run');
  assert.equal(traceParent, `00-${rpc.traceId}-${rpc.spanId}-01`);
  assert.ok(!run.parentSpanId);
  assert.notEqual(run.traceId, rpc.traceId);
  assert.deepEqual(
    run.links?.map(({traceId, spanId}) => [traceId, spanId]),
    [[rpc.traceId, rpc.spanId]],
  );
  assert.deepEqual([byName('ftft.epoch').length, byName('ftft.evaluate').length], [2, 1]);
  for (const child of [...byName('ftft.epoch'), ...byName('ftft.evaluate')])
    assert.equal(child.parentSpanId, run.spanId);
  const [epoch] = byName('ftft.epoch');
  assert.equal(BigInt(epoch.endTimeUnixNano) - BigInt(epoch.startTimeUnixNano), 2_000_000_000n);
  assert.equal(byName('ftft.data_map')[0].parentSpanId, rpc.spanId);
});

test('without an endpoint no span is made, and a caller’s traceparent is handed on', () => {
  const {telemetry} = start();
  const call = telemetry.callStarted('/ftft.v1.FtftService/GetRun');
  assert.equal(call.trace(undefined), undefined);
  const traceParent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  assert.equal(call.trace(traceParent), traceParent);
});
