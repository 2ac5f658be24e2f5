// What a run is expected to cost before it begins: where the rates come from, what follows from the data alone, and what stays unknown.
import assert from 'node:assert/strict';
import {type TestContext, test} from 'node:test';
import {setTimeout} from 'node:timers/promises';
import type {MainCreation, RunCreation} from '../../src/runs/api.js';
import type {RunsWithLife} from '../../src/runs/create-runs.js';
import type {CostEstimate, RunRecord} from '../../src/runs/types.js';
import {faults} from './support/faults.js';
import {bytes, creation, header, importPets, lines, openRuns, waitForEnd, waitUntil} from './support/open-runs.js';

const asked = {validateOnly: true, wantsEstimate: true};

async function started(t: TestContext): Promise<RunsWithLife> {
  const runs = await openRuns(t);
  await importPets(runs);
  runs.start();
  return runs;
}

const estimateOf = async (run: Promise<RunRecord>): Promise<CostEstimate> => (await run).costEstimate!;

async function trained(runs: RunsWithLife, request: RunCreation): Promise<RunRecord> {
  await runs.trainReference(request);
  const run = await waitForEnd(runs, request.id!);
  assert.equal(run.state, 'SUCCEEDED', run.error?.message);
  return run;
}

test('steps, tokens and operations of an estimate are those that the run then has', async t => {
  const runs = await started(t);
  await runs.importDataset({...header, split: 'exam'}, bytes(lines(12, 'x')));
  const request = creation({evaluationIntervalSteps: 7, testSplits: ['exam']}, {id: 'run'});
  const {work, source, note} = await estimateOf(runs.trainReference({...request, ...asked}));
  assert.equal(source, 'MEASUREMENT', note);
  const {cost, progress} = await trained(runs, request);
  assert.deepEqual([work.steps, work.instances, work.realTokens], [progress.steps, 180, cost.trainedRealTokens]);
  assert.equal(work.trainingFlops, cost.phases?.training.flops);
  assert.equal(work.predictionFlops, cost.phases?.evaluation.flops);
  assert.equal(work.trainingFlops + work.predictionFlops, cost.flops);
  assert.ok(Math.abs(work.tokens / cost.trainedTokens - 1) < 0.1, 'padding is that of the first epoch');
});

test('an estimate is of the rates of an earlier run on the same texts, which it would have told almost to the second', async t => {
  const runs = await started(t);
  const request = creation({seed: faults.slow, evaluationIntervalSteps: 15}, {id: 'run'});
  const run = await trained(runs, request);
  const again = await estimateOf(runs.trainReference({...creation({seed: 5, evaluationIntervalSteps: 15}), ...asked}));
  assert.deepEqual([again.source, again.sourceRun], ['EARLIER_RUN', 'run']);
  assert.match(again.note, /runs\/run: .*the same texts/);
  const ratio = again.acceleratorMs! / run.cost.acceleratorMs;
  assert.ok(ratio > 0.85 && ratio < 1.15, `${again.acceleratorMs} ms, it took ${run.cost.acceleratorMs} ms`);
  const twice = await estimateOf(
    runs.trainReference({...creation({epochs: 6, evaluationIntervalSteps: 15}), ...asked}),
  );
  const slowSteps = 45 * 20;
  assert.ok(twice.acceleratorMs! - again.acceleratorMs! > 0.9 * slowSteps, 'twice as many steps of 20 ms and more');
});

test('an estimate that is not wanted is not made, and nothing of one is kept', async t => {
  const runs = await started(t);
  const dry = await runs.trainReference({...creation(), validateOnly: true});
  assert.equal(dry.costEstimate, undefined);
  await runs.trainReference({...creation(), ...asked});
  assert.deepEqual(await runs.countRuns(), []);
});

test('while a run holds the device no rate of another model is measured: times stay unknown, work does not', async t => {
  const runs = await started(t);
  await runs.trainReference(creation({seed: faults.slow, epochs: 50}, {id: 'busy'}));
  await waitUntil(runs, 'busy', ({progress}) => progress.steps > 0);
  const {source, note, acceleratorMs, work} = await estimateOf(runs.trainReference({...creation(), ...asked}));
  assert.deepEqual([source, acceleratorMs, work.steps], [undefined, undefined, 45]);
  assert.match(note, /No rate is known: the device is busy/);
  await runs.cancelRun('busy', '');
});

test('while one estimate is measured another one does not wait for it', async t => {
  const runs = await started(t);
  const estimates = [8, 9, 10].map(batchSize => estimateOf(runs.trainReference({...creation({batchSize}), ...asked})));
  const found = await Promise.all(estimates);
  assert.equal(found.filter(({source}) => source === 'MEASUREMENT').length, 1);
  for (const {source, note} of found) if (!source) assert.match(note, /the device is busy/);
});

test('a measurement that fails says why, and is tried again when asked for again', async t => {
  const runs = await started(t);
  const failing = {...creation({seed: faults.outOfMemory}), ...asked};
  for (let tries = 0; tries < 2; tries++) {
    const {note, acceleratorMs} = await estimateOf(runs.trainReference(failing));
    assert.match(note, /some steps were tried, and failed: .*memory/);
    assert.equal(acceleratorMs, undefined);
  }
  assert.equal((await estimateOf(runs.trainReference({...creation(), ...asked}))).source, 'MEASUREMENT');
});

test('a run that is accepted while rates are measured begins once they are', async t => {
  const runs = await started(t);
  const measuring = estimateOf(runs.trainReference({...creation({seed: faults.slow}), ...asked}));
  const both = estimateOf(runs.trainReference({...creation({seed: faults.slow}), ...asked}));
  while (!runs.isDeviceLent()) await setTimeout(5);
  const run = await trained(runs, creation({}, {id: 'run'}));
  const [one, other] = [await measuring, await both];
  assert.equal(one.source, 'MEASUREMENT', one.note);
  assert.equal(one.acceleratorMs, other.acceleratorMs, 'one measurement for both');
  assert.equal(run.state, 'SUCCEEDED');
});

test('the estimate of a main run counts its reference and its map, and what ERM would cost or has cost', async t => {
  const runs = await started(t);
  const reference = await trained(runs, creation({}, {id: 'reference'}));
  const selection = {fraction: 1 / 3, rule: 'rank' as const};
  const map = await runs.buildDataMap({id: 'map', run: 'reference', selection, validateOnly: false});
  assert.ok(map.buildMs! > 0);
  const main = (changes: Partial<MainCreation> = {}): MainCreation => ({
    ...creation({batchSize: 5}),
    ...{dataMap: 'map', ...asked, ...changes},
  });
  const {methodCost, work, leastAcceleratorMs} = await estimateOf(runs.fineTuneMain(main()));
  assert.equal(work.instances, 60, '12 steps of 5, a third of 36');
  const parts = Object.fromEntries(methodCost!.parts.map(({item, acceleratorMs}) => [item, acceleratorMs]));
  const {phases, acceleratorMs} = reference.cost;
  const rest = acceleratorMs - phases!.evaluation.ms - phases!.dynamics.ms;
  assert.ok(Math.abs(parts.reference! - rest) < 1e-6, `${parts.reference} ms of ${rest} ms`);
  assert.equal(parts['data-map'], map.buildMs);
  assert.equal(methodCost!.erm?.run, undefined, 'no ERM run of batches of 5 is known: it is estimated');
  assert.ok(methodCost!.erm!.flops > 2 * work.trainingFlops);
  assert.equal(leastAcceleratorMs, undefined);

  const random = await estimateOf(runs.fineTuneMain(main({method: 'random'})));
  assert.deepEqual(
    random.methodCost!.parts.map(({item}) => item),
    ['main', 'evaluation'],
  );
  await trained(runs, creation({batchSize: 5}, {id: 'erm'}));
  const beside = await estimateOf(runs.fineTuneMain(main({earlyStopping: {patience: 2, evaluationIntervalSteps: 2}})));
  assert.equal(beside.methodCost!.erm?.run, 'erm');
  assert.ok(beside.leastAcceleratorMs! < beside.acceleratorMs!);
});

test('a main run that has succeeded says what its method has cost, in the run and when it is waited for', async t => {
  const runs = await started(t);
  await trained(runs, creation({}, {id: 'reference'}));
  await runs.buildDataMap({id: 'map', run: 'reference', validateOnly: false, selection: {rule: 'rank'}});
  await runs.fineTuneMain({...creation({}, {id: 'main'}), dataMap: 'map'});
  const run = await waitForEnd(runs, 'main');
  const {methodCost} = await runs.getRun('main');
  const {parts, acceleratorMs, erm} = methodCost!;
  assert.deepEqual(
    parts.map(({item}) => item),
    ['reference', 'dynamics', 'data-map', 'main', 'evaluation'],
  );
  const reference = await runs.getRun('reference');
  const sum = reference.cost.acceleratorMs + run.cost.acceleratorMs + (await runs.getDataMap('map')).buildMs!;
  assert.ok(Math.abs(acceleratorMs! - sum) < 1e-6, `${acceleratorMs} ms of ${sum} ms`);
  assert.equal(erm?.run, 'reference', 'the reference is of all layers of the same model: it is ERM');
  assert.deepEqual(run.methodCost, methodCost);
  assert.equal(reference.methodCost, undefined);
  assert.equal((await runs.listRuns({pageSize: 10, pageToken: ''})).runs[0].methodCost, undefined);
});
