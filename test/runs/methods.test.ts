// Main runs asked for by method: what each trains on, for how long, and which map it is refused on; and what runs are warned of.
import assert from 'node:assert/strict';
import {type TestContext, test} from 'node:test';
import type {FtftError} from '../../src/errors.js';
import {methods} from '../../src/pipeline/methods.js';
import type {MainCreation} from '../../src/runs/api.js';
import type {RunsWithLife} from '../../src/runs/create-runs.js';
import type {DataMapRecord, RunRecord} from '../../src/runs/types.js';
import {allEvents, bytes, creation, header, importPets, lines, openRuns, waitForEnd} from './support/open-runs.js';

/** A reference of local:tiny, and its map of a third of the instances. */
async function withMap(t: TestContext, modelOfMap = 'local:tiny'): Promise<{runs: RunsWithLife; map: DataMapRecord}> {
  const runs = await openRuns(t);
  await importPets(runs);
  runs.start();
  await runs.trainReference(creation({model: modelOfMap}, {id: 'reference'}));
  await waitForEnd(runs, 'reference');
  const selection = {fraction: 1 / 3, rule: 'rank' as const};
  return {runs, map: await runs.buildDataMap({id: 'map', run: 'reference', selection, validateOnly: false})};
}

const main = (changes: Partial<MainCreation> = {}, spec: object = {}): MainCreation => ({
  ...creation({epochs: 3, ...spec}),
  dataMap: 'map',
  ...changes,
});

async function trainedInstances(runs: RunsWithLife, run: RunRecord): Promise<number> {
  for (const {event} of await allEvents(runs, run.id)) if (event.kind === 'epoch-committed') return event.instanceCount;
  return 0;
}

test('requests that differ in their method alone train on everything, or on as many instances of another kind', async t => {
  const {runs, map} = await withMap(t);
  const regions: Record<string, string | undefined> = {};
  for (const method of methods.filter(method => method !== 'ftft')) {
    const {id} = await runs.fineTuneMain(main({method}));
    const run = await waitForEnd(runs, id);
    assert.equal(run.state, 'SUCCEEDED', run.error?.message);
    assert.equal(run.method, method);
    const used = run.dataMap === undefined ? undefined : await runs.getDataMap(run.dataMap);
    regions[method] = used && 'region' in used.selection.criterion ? used.selection.criterion.region : undefined;
    assert.equal(await trainedInstances(runs, run), method === 'erm' ? 60 : 20);
    assert.equal(run.progress.totalSteps, method === 'erm' ? 45 : 15, 'ERM for its whole length, the others a third');
    if (used) assert.deepEqual({...used.selection, criterion: 0}, {...map.selection, criterion: 0});
  }
  assert.deepEqual(regions, {
    ...{erm: undefined, 'data-map': 'ambiguous', random: 'random', 'hard-to-learn': 'hard-to-learn'},
  });
});

test('what the method selects already is not mapped again, and a random share is drawn by the seed of the run', async t => {
  const {runs, map} = await withMap(t);
  const mapOf = async (method: MainCreation['method'], seed: number) =>
    (await runs.fineTuneMain(main({method}, {seed}))).dataMap!;
  assert.equal(await mapOf('data-map', 1), map.id);
  const [one, other, again] = [await mapOf('random', 1), await mapOf('random', 2), await mapOf('random', 1)];
  assert.equal(one, again);
  assert.notEqual(one, other);
  assert.equal((await runs.getDataMap(one)).selection.seed, 1);
});

test('ERM needs no map, and every other method does', async t => {
  const {runs} = await withMap(t);
  const erm = await runs.fineTuneMain(main({method: 'erm', dataMap: ''}));
  assert.deepEqual([erm.dataMap, erm.method, erm.kind], [undefined, 'erm', 'MAIN']);
  await assert.rejects(runs.fineTuneMain(main({method: 'random', dataMap: ''})), {code: 'NOT_FOUND'});
  await assert.rejects(runs.fineTuneMain(main({method: 'erm', dataMap: 'gone'})), {code: 'NOT_FOUND'});
});

test('a data map of the main model itself is no FTFT, and one of another model is not its own', async t => {
  const {runs} = await withMap(t);
  const reasonOf = async (changes: Partial<MainCreation>) =>
    runs.fineTuneMain(main({validateOnly: true, ...changes})).then(
      ({state}) => state,
      (error: FtftError) => [error.code, error.details.reason, error.details.resource?.name].join(' '),
    );
  const refused = 'FAILED_PRECONDITION REFERENCE_DOES_NOT_FIT dataMaps/map';
  assert.equal(await reasonOf({method: 'ftft'}), refused);
  assert.equal(await reasonOf({method: 'data-map'}), 'PENDING');
  assert.equal(
    await reasonOf({method: 'data-map', spec: {...main().spec, layers: 1}}),
    'PENDING',
    'all of its one layer',
  );
});

test('a main run on a map whose reference is of no use is warned of it from the start, a random share is not', async t => {
  const {runs, map} = await withMap(t);
  assert.equal(map.diagnostics.verdict, 'ineffective', 'what the fake model teaches is no map of anything');
  const {id} = await runs.fineTuneMain(main({method: 'data-map'}));
  const run = await waitForEnd(runs, id);
  const ofMap = run.warnings!.filter(({steps}) => steps === 0);
  assert.equal(ofMap[0].code, 'REFERENCE_INEFFECTIVE');
  assert.ok(ofMap[0].message.endsWith(map.diagnostics.verdictReason));
  const told = (await allEvents(runs, id)).flatMap(({event}) => (event.kind === 'run-warned' ? [event.warning] : []));
  assert.deepEqual(told, run.warnings, 'each stands in the log too');
  const random = await runs.fineTuneMain(main({method: 'random'}));
  assert.deepEqual(random.warnings ?? [], []);
});

test('a run that does not learn is warned once, in its record and in its log, whatever attempt finds it', async t => {
  const runs = await openRuns(t);
  await importPets(runs);
  runs.start();
  await runs.trainReference(creation({learningRate: 1e-9, epochs: 8}, {id: 'run'}));
  const run = await waitForEnd(runs, 'run');
  assert.deepEqual(
    run.warnings?.map(({code, steps}) => [code, steps]),
    [['NOT_CONVERGING', 90]],
  );
  const told = (await allEvents(runs, 'run')).filter(({event}) => event.kind === 'run-warned');
  assert.equal(told.length, 1);
});

test('a main run is warned where it falls further out of distribution than ERM of the same model', async t => {
  const runs = await openRuns(t);
  await runs.importDataset(header, bytes(lines(60)));
  // In distribution the train split's own texts and labels, out of it the same with every label turned.
  const turned = lines(400).replaceAll('"dog"', '"?"').replaceAll('"cat"}', '"dog"}').replaceAll('"?"', '"cat"');
  await runs.importDataset({...header, split: 'near'}, bytes(lines(400)));
  await runs.importDataset({...header, split: 'far', isOutOfDistribution: true}, bytes(turned));
  runs.start();
  // It learns next to nothing, and so falls less far than a model that does.
  await runs.trainReference(creation({learningRate: 1e-9}, {id: 'erm'}));
  await waitForEnd(runs, 'erm');
  const map = await runs.buildDataMap({run: 'erm', validateOnly: false, selection: {fraction: 0.9, rule: 'rank'}});
  const {id} = await runs.fineTuneMain(
    main({dataMap: map.id, method: 'random', budget: {maxSteps: 200}}, {learningRate: 0.3}),
  );
  const {warnings} = await waitForEnd(runs, id);
  assert.deepEqual(
    warnings?.map(({code}) => code),
    ['OUT_OF_DISTRIBUTION_GAP'],
  );
  const told = (await allEvents(runs, id)).filter(({event}) => event.kind === 'run-warned');
  assert.equal(told.length, 1);
});
