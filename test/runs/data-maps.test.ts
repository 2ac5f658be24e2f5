import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {test} from 'node:test';
import {FtftError} from '../../src/errors.js';
import type {DataMapCreation} from '../../src/runs/api.js';
import {packBits} from '../../src/runs/columns.js';
import type {RunsWithLife} from '../../src/runs/create-runs.js';
import {faults} from './support/faults.js';
import {
  allEvents,
  bytes,
  creation,
  header,
  importPets,
  lines,
  openRuns,
  waitForEnd,
  waitUntil,
} from './support/open-runs.js';

const mapOf = (rest: Partial<DataMapCreation> = {}): DataMapCreation => ({
  run: 'reference',
  validateOnly: false,
  ...rest,
});
const main = (dataMap: string, rest: object = {}, spec: object = {}) => ({
  ...creation({epochs: 3, ...spec}, {id: 'main'}),
  dataMap,
  ...rest,
});

async function rejected(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => assert.fail('it was accepted'),
    (error: unknown) => error,
  );
  if (!(error instanceof FtftError)) throw error;
  const fields = (error.details.violations ?? []).map(({field}) => ` ${field}`).join('');
  return `${error.code}/${error.details.reason}${fields}`;
}

async function withReference(t: Parameters<typeof openRuns>[0]): Promise<RunsWithLife> {
  const runs = await openRuns(t);
  await importPets(runs);
  runs.start();
  await runs.trainReference(creation({}, {id: 'reference'}));
  await waitForEnd(runs, 'reference');
  return runs;
}

test('a data map is deterministic, reads back, and its digest is that of its columns', async t => {
  const runs = await withReference(t);
  const selection = {fraction: 0.4, rule: 'rank'} as const;
  const map = await runs.buildDataMap(mapOf({selection}));
  assert.deepEqual(map.selection, {criterion: {region: 'ambiguous'}, fraction: 0.4, rule: 'rank', seed: 0});
  assert.deepEqual([map.instanceCount, map.selectedCount, map.requestedCount, map.isFinal], [60, 24, 24, true]);
  assert.deepEqual(
    [map.epochs, map.dataset, map.trainSplit, map.run],
    [{first: 0, last: 2}, 'pets', 'train', 'reference'],
  );
  const shares = map.labelBalance.map(({className, instanceCount}) => [className, instanceCount]);
  assert.deepEqual(shares, [
    ['cat', 40],
    ['dog', 20],
  ]);
  assert.equal(map.labelBalance[0].selectedCount + map.labelBalance[1].selectedCount, 24);

  const {instanceIds, isSelected, scores, ...columns} = await runs.readDataMap(map.id);
  assert.deepEqual([instanceIds.length, instanceIds[59], scores.length], [60, 'i59', 0]);
  assert.equal(
    isSelected.reduce((sum, flag) => sum + flag, 0),
    24,
  );
  const hash = createHash('sha256');
  const {confidence, variability, correctness, forgettingEvents} = columns;
  for (const column of [confidence, variability, correctness, forgettingEvents, packBits(isSelected)])
    hash.update(Buffer.from(column.buffer, column.byteOffset, column.byteLength));
  assert.equal(hash.digest('hex'), map.digest);

  const timesRight = new Uint32Array(60);
  for (const {event} of await allEvents(runs, 'reference'))
    if (event.kind === 'chunk')
      for (let i = 0; i < 60; i++) {
        const isDog = event.logits[2 * i + 1] > event.logits[2 * i];
        if (isDog === (i % 3 === 0)) timesRight[i]++;
      }
  assert.deepEqual(correctness, timesRight);

  assert.deepEqual(await runs.buildDataMap(mapOf({selection})), map, 'the same map again');
  assert.deepEqual(await runs.getDataMap(map.id), map);
  const named = await runs.buildDataMap(mapOf({selection, id: 'named'}));
  const since = {createTime: 0, buildMs: 0};
  assert.deepEqual({...named, id: map.id, ...since}, {...map, ...since});
  const other = await runs.buildDataMap(mapOf({selection, epochs: {first: 1, last: 2}}));
  assert.notEqual(other.digest, map.digest);
  const metric = await runs.buildDataMap(
    mapOf({selection: {criterion: {metric: 'variability', order: 'highest-first'}, fraction: 0.4, rule: 'rank'}}),
  );
  assert.deepEqual((await runs.readDataMap(metric.id)).scores, variability);
  assert.notEqual(metric.id, map.id);
});

test('a data map that cannot be built is refused with its reason', async t => {
  const runs = await withReference(t);
  for (const fraction of [0, 1.01, -1, Number.NaN])
    assert.equal(
      await rejected(runs.buildDataMap(mapOf({selection: {fraction}}))),
      'INVALID_ARGUMENT/INVALID_FIELD selection.fraction',
    );
  assert.equal((await runs.buildDataMap(mapOf({selection: {fraction: 1, rule: 'rank'}}))).selectedCount, 60);
  assert.equal(await rejected(runs.buildDataMap(mapOf({run: 'none'}))), 'NOT_FOUND/RUN_NOT_FOUND');
  assert.match(
    await rejected(runs.buildDataMap(mapOf({epochs: {first: 0, last: 3}}))),
    /^INVALID_ARGUMENT\/INVALID_FIELD epochs/,
  );
  await runs.buildDataMap(mapOf({id: 'taken'}));
  assert.equal(
    await rejected(runs.buildDataMap(mapOf({id: 'taken', selection: {fraction: 0.5}}))),
    'ALREADY_EXISTS/DATA_MAP_EXISTS',
  );
  const request = {id: 'request', digest: 'a'};
  const made = await runs.buildDataMap(mapOf({id: 'once', request, selection: {fraction: 0.2}}));
  assert.deepEqual(await runs.buildDataMap(mapOf({id: 'once', request, selection: {fraction: 0.2}})), made);
  assert.equal(
    await rejected(runs.buildDataMap(mapOf({request: {...request, digest: 'b'}}))),
    'INVALID_ARGUMENT/REQUEST_ID_REUSED',
  );
  await runs.buildDataMap(mapOf({id: 'dry', validateOnly: true}));
  await assert.rejects(runs.getDataMap('dry'), {
    code: 'NOT_FOUND',
    details: {reason: 'DATA_MAP_NOT_FOUND', resource: {type: 'DataMap', name: 'dataMaps/dry'}},
  });
});

test('a main run trains on the selection for its budget, and its dynamics are of the selection', async t => {
  const runs = await withReference(t);
  const map = await runs.buildDataMap(mapOf({id: 'map', selection: {fraction: 1 / 3, rule: 'rank'}}));
  assert.equal(map.selectedCount, 20);
  const accepted = await runs.fineTuneMain(main('map'));
  const {totalSteps, totalEpochs} = accepted.progress;
  assert.deepEqual(
    [totalSteps, totalEpochs, accepted.spec.evaluationIntervalSteps],
    [15, 3, 5],
    'a third of 3 epochs of 15 steps',
  );
  const run = await waitForEnd(runs, 'main');
  assert.deepEqual([run.state, run.kind, run.dataMap, run.progress.committedEpochs], ['SUCCEEDED', 'MAIN', 'map', 3]);
  const sizes: number[] = [];
  for await (const event of runs.events('main', {start: {position: 'earliest'}, signal: AbortSignal.timeout(9000)}))
    if (event !== 'caught-up' && event.event.kind === 'epoch-committed') sizes.push(event.event.instanceCount);
  assert.deepEqual(sizes, [20, 20, 20]);
  assert.equal(await rejected(runs.buildDataMap(mapOf({run: 'main'}))), 'INVALID_ARGUMENT/INVALID_FIELD run');

  const budgets = [
    [{maxSteps: 7}, 7],
    [{stepFraction: 0.2}, 9],
    [{stepFraction: 0.001}, 1],
    [{stepFraction: 1}, 45],
  ] as const;
  for (const [budget, steps] of budgets) {
    const {progress} = await runs.fineTuneMain({...main('map', {budget}), id: undefined, validateOnly: true});
    assert.deepEqual([progress.totalSteps, progress.totalEpochs], [steps, Math.ceil(steps / 5)]);
  }
});

test('a main run is refused on a map that does not serve it', async t => {
  const runs = await withReference(t);
  await runs.buildDataMap(mapOf({id: 'map'}));
  await runs.importDataset({...header, dataset: 'others'}, bytes(lines(9)));
  const refused = (request: ReturnType<typeof main>) => rejected(runs.fineTuneMain(request));
  assert.equal(await refused(main('none')), 'NOT_FOUND/DATA_MAP_NOT_FOUND');
  assert.equal(await refused(main('map', {}, {dataset: 'others'})), 'FAILED_PRECONDITION/DATA_MAP_OF_OTHER_DATASET');
  assert.equal(await refused(main('map', {}, {trainSplit: 'ood'})), 'FAILED_PRECONDITION/DATA_MAP_OF_OTHER_DATASET');
  const empty = await runs.buildDataMap(
    mapOf({id: 'empty', selection: {criterion: {region: 'random'}, fraction: 0.001}}),
  );
  assert.equal(empty.selectedCount, 0);
  assert.equal(await refused(main('empty')), 'FAILED_PRECONDITION/SELECTION_EMPTY');
  assert.equal(
    await refused(main('map', {budget: {stepFraction: 0}}, {epochs: 0})),
    'INVALID_ARGUMENT/INVALID_FIELD spec.epochs step_fraction',
  );
  assert.equal(await refused(main('map', {budget: {maxSteps: 0}})), 'INVALID_ARGUMENT/INVALID_FIELD max_steps');
});

test('a map of a run that has not finished is not final, and one without a committed epoch cannot be built', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  await runs.trainReference(creation({seed: faults.slow, epochs: 50}, {id: 'reference'}));
  assert.equal(await rejected(runs.buildDataMap(mapOf())), 'FAILED_PRECONDITION/NO_COMMITTED_EPOCHS');
  runs.start();
  await waitUntil(runs, 'reference', ({progress}) => progress.committedEpochs >= 2);
  const map = await runs.buildDataMap(mapOf({id: 'early', selection: {rule: 'rank'}}));
  assert.equal(map.isFinal, false);
  assert.equal(await rejected(runs.fineTuneMain(main('early'))), 'FAILED_PRECONDITION/DATA_MAP_NOT_FINAL');
  await runs.cancelRun('reference', '');
  await waitForEnd(runs, 'reference');
  assert.equal((await runs.buildDataMap(mapOf({id: 'late'}))).isFinal, true);
});
