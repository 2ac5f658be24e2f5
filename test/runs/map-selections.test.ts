// Data maps with scores, every kind of selection, burn-out and comparison, over runs as they are stored.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import type {Criterion, Selection} from '../../src/pipeline/types.js';
import type {DataMapCreation} from '../../src/runs/api.js';
import type {RunsWithLife} from '../../src/runs/create-runs.js';
import {bytes, creation, header, importPets, lines, openRuns, waitForEnd} from './support/open-runs.js';

const mapOf = (rest: Partial<DataMapCreation> = {}): DataMapCreation => ({
  run: 'reference',
  validateOnly: false,
  ...rest,
});

async function withReference(t: Parameters<typeof openRuns>[0], options = {}): Promise<RunsWithLife> {
  const runs = await openRuns(t, options);
  await importPets(runs);
  runs.start();
  await runs.trainReference(creation({}, {id: 'reference'}));
  await waitForEnd(runs, 'reference');
  return runs;
}

const refused = (call: Promise<unknown>, reason: string, message: RegExp) =>
  assert.rejects(call, (error: {details?: {reason?: string}; message: string}) => {
    assert.equal(error.details?.reason, reason);
    assert.match(error.message, message);
    return true;
  });

test('scores that are asked for are kept with the map and read back', async t => {
  const runs = await withReference(t);
  const metrics = ['el2n', 'loss-trajectory', 'forgetting-count'] as const;
  const map = await runs.buildDataMap(mapOf({metrics: [...metrics]}));
  assert.deepEqual([map.metrics, map.scoreWindow], [metrics, 3]);
  const {metricColumns, confidence} = await runs.readDataMap(map.id);
  assert.deepEqual(
    metricColumns.map(({metric, values}) => [metric, values.length]),
    [
      ['el2n', 60],
      ['loss-trajectory', 180],
      ['forgetting-count', 60],
    ],
  );
  // Two classes: EL2N is the square root of 2 times 1 - p_true.
  metricColumns[0].values.forEach((value, i) => {
    assert.ok(Math.abs(value - Math.SQRT2 * (1 - confidence[i])) < 1e-6);
  });
  const plain = await runs.buildDataMap(mapOf());
  assert.notEqual(plain.id, map.id);
  assert.equal(plain.digest, map.digest);
  assert.equal(plain.metrics, undefined);
  assert.deepEqual((await runs.readDataMap(plain.id)).metricColumns, []);
});

test('every kind of selection is made, told and repeated', async t => {
  const runs = await withReference(t);
  const select = async (criterion: Criterion, rest: Partial<Selection> = {}) => {
    const creation = mapOf({selection: {criterion, rule: 'rank', count: 12, ...rest}});
    const map = await runs.buildDataMap(creation);
    assert.deepEqual(await runs.buildDataMap(creation), map);
    assert.deepEqual(map.selection.criterion, criterion);
    return map;
  };
  for (const criterion of [
    {metric: 'area-under-margin', order: 'lowest-first'},
    {metric: 'confidence', order: 'both-ends'},
    {stratified: {metric: 'loss', hardestShareDropped: 0.5, numStrata: 5}},
    {clustered: {numClusters: 4, numIterations: 20}},
  ] satisfies Criterion[]) {
    const map = await select(criterion);
    assert.deepEqual([map.selectedCount, map.requestedCount], [12, 12]);
  }
  const joined = await select({anyOf: [], noneOf: ['ambiguous', 'hard-to-learn']});
  assert.ok(Math.abs(joined.selectedCount / 60 - joined.diagnostics.easyRatio) < 1e-12);
  const {labelBalance, labelShift} = await select({region: 'ambiguous'}, {classBalance: 'equal'});
  assert.deepEqual(
    labelBalance.map(({selectedCount}) => selectedCount),
    [6, 6],
  );
  assert.ok(Math.abs(labelShift! - (40 / 60 - 0.5)) < 1e-12);
});

test('the map tells epoch by epoch what its run did, and warns', async t => {
  const runs = await withReference(t);
  const map = await runs.buildDataMap(mapOf({burnOut: 2}));
  assert.deepEqual(map.epochs, {first: 0, last: 1});
  assert.deepEqual(
    map.epochDiagnostics?.map(({epoch}) => epoch),
    [0, 1],
  );
  for (const {trainLoss, accuracy, pTrue} of map.epochDiagnostics!)
    assert.ok(trainLoss > 0 && accuracy >= 0 && accuracy <= 1 && pTrue > 0 && pTrue < 1);
  const [first, last] = map.epochDiagnostics!;
  assert.equal(map.diagnostics.lastEpochGain, last.pTrue - first.pTrue);
  assert.equal(map.inDistributionAccuracy, undefined, 'the only evaluation split is out of distribution');
  assert.deepEqual((await runs.buildDataMap(mapOf({burnOut: 99}))).epochs, {first: 0, last: 2});
});

test('a run that discards its logits has the map of one that keeps them, and none of the scores that need them', async t => {
  const runs = await withReference(t);
  await runs.trainReference(creation({discardLogits: true}, {id: 'small-log'}));
  await waitForEnd(runs, 'small-log');
  const [kept, discarded] = [await runs.buildDataMap(mapOf()), await runs.buildDataMap(mapOf({run: 'small-log'}))];
  assert.equal(discarded.digest, kept.digest);
  assert.equal((await runs.getRun('small-log')).spec.discardLogits, true);
  const el2n = mapOf({run: 'small-log', metrics: ['el2n']});
  await refused(runs.buildDataMap(el2n), 'LOGITS_NOT_KEPT', /el2n needs the logits of the run, and it kept none/);
});

test('thresholds of the server are those that the map is judged by, and make another map', async t => {
  const thresholds = {overlapExcess: 0.9, accuracySkill: 0.1, lastEpochGain: -1, labelShift: 0, neverLearned: 1};
  const runs = await withReference(t, {thresholds});
  const map = await runs.buildDataMap(mapOf());
  assert.deepEqual(map.thresholds, thresholds);
  assert.ok(map.diagnostics.warnings.some(text => text.includes('(more than -1)')));
  assert.match(map.diagnostics.verdictReason, /effective from 9\d\.\d %|Cannot be told/);
});

test('a selection that cannot be is refused with all that is wrong', async t => {
  const runs = await withReference(t);
  const refuse = (rest: Partial<DataMapCreation>, message: RegExp) =>
    refused(runs.buildDataMap(mapOf(rest)), 'INVALID_FIELD', message);
  await refuse({selection: {count: 61}}, /selection\.count must be at most 60, the instances of the run/);
  await refuse({selection: {count: 0}}, /selection\.count must be a whole number from 1/);
  await refuse({burnOut: 1, epochs: {first: 0, last: 0}}, /burn_out must not be set beside epochs/);
  await refuse({metrics: ['loss', 'loss']}, /metrics must name each score once/);
  await refuse({metrics: ['dyn-unc'], epochs: {first: 0, last: 0}}, /score_window must be .* at least 2 epochs/);
  await refuse(
    {selection: {criterion: {metric: 'loss', order: 'both-ends'}}},
    /selection\.rule must be RULE_RANK or RULE_CARTOGRAPHY_HEAD/,
  );
  await refuse(
    {selection: {criterion: {metric: 'loss-trajectory', order: 'highest-first'}}},
    /must be one value an instance/,
  );
  await refuse({selection: {criterion: {anyOf: [], noneOf: []}}}, /must name at least one region/);
  const stratified = {metric: 'loss', hardestShareDropped: 0.8, numStrata: 0} as const;
  await refuse(
    {selection: {criterion: {stratified}}},
    /selection\.fraction must ask for no more than .*strata must be/,
  );
  await refuse(
    {selection: {criterion: {stratified: {...stratified, numStrata: 5}}, count: 13}},
    /selection\.count must ask for no more than the share 0\.19/,
  );
  await refuse({selection: {criterion: {clustered: {numClusters: 1001, numIterations: 0}}}}, /clusters .*iterations/);
});

test('two maps of the same instances are compared, whatever was selected; others are not', async t => {
  const runs = await withReference(t);
  await runs.buildDataMap(mapOf({id: 'all-epochs', selection: {rule: 'rank'}}));
  await runs.buildDataMap(
    mapOf({id: 'early', burnOut: 2, selection: {rule: 'rank', criterion: {region: 'hard-to-learn'}}}),
  );
  const same = await runs.compareDataMaps('all-epochs', 'all-epochs');
  assert.deepEqual([same.selected.jaccard, same.ambiguous.jaccard, same.agreement.ratio], [1, 1, 1]);
  const found = await runs.compareDataMaps('all-epochs', 'early');
  assert.deepEqual([found.numInstances, found.selected.count, found.selected.otherCount], [60, 20, 20]);
  assert.equal(found.selected.chanceOverlap, 20 / 60);
  assert.ok(found.confidenceSpearman < 1 && found.confidenceSpearman > -1);
  const easyRatio = async (id: string) => (await runs.getDataMap(id)).diagnostics.easyRatio;
  assert.ok(Math.abs(found.easyRatio - (await easyRatio('all-epochs'))) < 1e-12);
  assert.ok(Math.abs(found.otherEasyRatio - (await easyRatio('early'))) < 1e-12);

  await runs.importDataset({...header, dataset: 'others'}, bytes(lines(60, 'x')));
  await runs.trainReference(creation({dataset: 'others'}, {id: 'others'}));
  await waitForEnd(runs, 'others');
  await runs.buildDataMap(mapOf({run: 'others', id: 'of-others'}));
  await refused(
    runs.compareDataMaps('all-epochs', 'of-others'),
    'DATA_MAPS_NOT_COMPARABLE',
    /of datasets\/pets, split train, and of datasets\/others, split train/,
  );
  await refused(runs.compareDataMaps('all-epochs', 'none'), 'DATA_MAP_NOT_FOUND', /none/);
});

/** p_true of two epochs, without logits; ids as importPets has them, but in this order. */
async function importTable(runs: RunsWithLife, id: string, guids: string[], withGold = true) {
  const rows = guids.flatMap((guid, i) =>
    [0, 1].map(epoch => `${guid},${epoch},${(i + 1 + epoch) / 99}${withGold ? ',0' : ''}`),
  );
  const table = Buffer.from(`guid,epoch,p_true${withGold ? ',gold' : ''}\n${rows.join('\n')}\n`);
  const creation = {id, model: '', format: 'p-true-csv', classNames: [], labels: {}} as const;
  await runs.importDynamics(
    {...creation, classNames: [], dropPartialLastEpoch: false, validateOnly: false},
    (async function* () {
      yield {data: table};
    })(),
  );
  return runs.buildDataMap({run: id, id, validateOnly: false, selection: {fraction: 0.5, rule: 'rank'}});
}

test('imported maps without a dataset are compared by the ids of their instances, whatever their order', async t => {
  const runs = await openRuns(t);
  const forward = Array.from({length: 8}, (_, i) => `g${i}`);
  await importTable(runs, 'one', forward);
  await importTable(runs, 'other', [...forward].reverse());
  const {confidenceSpearman, selected, ambiguous} = await runs.compareDataMaps('one', 'other');
  assert.ok(Math.abs(confidenceSpearman + 1) < 1e-12, 'one rises where the other falls');
  assert.equal(selected.sharedCount, ambiguous.sharedCount);
  await importTable(runs, 'fewer', forward.slice(1));
  await refused(runs.compareDataMaps('one', 'fewer'), 'DATA_MAPS_NOT_COMPARABLE', /they have 8 and 7 instances/);
  await importTable(runs, 'others', ['x', ...forward.slice(1)]);
  await refused(
    runs.compareDataMaps('one', 'others'),
    'DATA_MAPS_NOT_COMPARABLE',
    /instance "g0" is on the first one only/,
  );
});

test('what an import did not bring cannot be ranked or balanced by', async t => {
  const runs = await openRuns(t);
  await importTable(runs, 'one', ['a', 'b', 'c'], false);
  const build = (rest: Partial<DataMapCreation>) => runs.buildDataMap({run: 'one', validateOnly: false, ...rest});
  await refused(build({metrics: ['el2n', 'tdds']}), 'LOGITS_NOT_KEPT', /el2n, tdds need the logits .* leave them out/);
  await refused(
    build({selection: {classBalance: 'equal'}}),
    'LABELS_NOT_KNOWN',
    /some of runs\/one were imported without/,
  );
  const {metrics} = await build({metrics: ['loss', 'dyn-unc', 'first-learned']});
  assert.equal(metrics?.length, 3);
});
