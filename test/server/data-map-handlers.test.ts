import assert from 'node:assert/strict';
import {test} from 'node:test';
import type {DataMapCreation} from '../../src/runs/api.js';
import {
  type DeepPartial,
  InstanceMetric,
  MetricCriterion_Order as Order,
  Region,
  Selection_Rule as Rule,
  Selection,
  Selection_ClassBalance,
  VariabilityEstimator,
  DataMapDiagnostics_ReferenceVerdict as Verdict,
} from '../../src/server/gen/ftft/v1/data_map.js';
import {type BuildDataMapRequest, ReadDataMapResponse} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {dataMapColumns, dataMapComparison, dataMapRecord} from './records.js';
import {collect, detail, errorOf, reasonOf, startTestServer} from './start-test-server.js';

test('BuildDataMap hands the selection on and answers with the map', async t => {
  const {client, runs} = await startTestServer(t);
  runs.maps.set('map', dataMapRecord('map'));
  const {dataMap} = await client.buildDataMap({
    run: 'runs/ref',
    epochs: {first: 0, last: 1},
    variabilityEstimator: VariabilityEstimator.VARIABILITY_ESTIMATOR_POPULATION_STDDEV,
    selection: {
      criterion: {
        $case: 'metric',
        value: {metric: InstanceMetric.INSTANCE_METRIC_FORGETTING, order: Order.ORDER_LOWEST_FIRST},
      },
      rule: Rule.RULE_RANK,
      seed: 3,
    },
  });
  assert.deepEqual(runs.calls, [
    {
      id: undefined,
      run: 'ref',
      epochs: {first: 0, last: 1},
      variabilityEstimator: 'population',
      selection: {criterion: {metric: 'forgetting', order: 'lowest-first'}, rule: 'rank', seed: 3},
      request: undefined,
      validateOnly: false,
    },
  ]);
  assert.equal(dataMap?.name, 'dataMaps/map');
  assert.equal(dataMap?.run, 'runs/ref');
  assert.deepEqual(dataMap?.selection?.criterion, {$case: 'region', value: Region.REGION_AMBIGUOUS});
  assert.equal(dataMap?.diagnostics?.referenceVerdict, Verdict.REFERENCE_VERDICT_EFFECTIVE);
  assert.equal(dataMap?.diagnostics?.threshold, 0.25);
  assert.equal(dataMap?.final, true);
  assert.deepEqual(await client.getDataMap({name: 'dataMaps/map'}), dataMap);
});

test('every criterion, size and score of a request is handed on by its name', async t => {
  const {client, runs} = await startTestServer(t);
  runs.maps.set('map', dataMapRecord('map'));
  const build = async (selection: DeepPartial<Selection>, rest: DeepPartial<BuildDataMapRequest> = {}) => {
    await client.buildDataMap({run: 'runs/ref', selection: Selection.fromPartial(selection), ...rest});
    const {selection: handed, metrics, scoreWindow, burnOut} = runs.calls.pop() as DataMapCreation;
    return {...handed, ...(metrics && {metrics}), ...(scoreWindow && {scoreWindow}), ...(burnOut && {burnOut})};
  };
  const {REGION_AMBIGUOUS, REGION_HARD_TO_LEARN, REGION_ERROR_SET} = Region;
  const regions = {anyOf: [REGION_AMBIGUOUS, REGION_HARD_TO_LEARN], noneOf: [REGION_ERROR_SET]};
  assert.deepEqual(await build({criterion: {$case: 'regions', value: regions}, count: 7}), {
    criterion: {anyOf: ['ambiguous', 'hard-to-learn'], noneOf: ['error-set']},
    count: 7,
    seed: 0,
  });
  const stratified = {metric: InstanceMetric.INSTANCE_METRIC_LOSS, hardestShareDropped: 0.1, strata: 9};
  assert.deepEqual((await build({criterion: {$case: 'stratified', value: stratified}})).criterion, {
    stratified: {metric: 'loss', hardestShareDropped: 0.1, numStrata: 9},
  });
  assert.deepEqual((await build({criterion: {$case: 'stratified', value: {}}})).criterion, {
    stratified: {metric: 'accumulated-margin', hardestShareDropped: 0, numStrata: 50},
  });
  assert.deepEqual((await build({criterion: {$case: 'clustered', value: {}}})).criterion, {
    clustered: {numClusters: 100, numIterations: 20},
  });
  const ends = {metric: InstanceMetric.INSTANCE_METRIC_TDDS, order: Order.ORDER_BOTH_ENDS};
  assert.deepEqual(
    await build(
      {
        criterion: {$case: 'metric', value: ends},
        rule: Rule.RULE_CARTOGRAPHY_HEAD,
        classBalance: Selection_ClassBalance.CLASS_BALANCE_EQUAL,
      },
      {
        metrics: [InstanceMetric.INSTANCE_METRIC_EL2N, InstanceMetric.INSTANCE_METRIC_LOSS_TRAJECTORY],
        scoreWindow: 4,
        burnOut: 5,
      },
    ),
    {
      criterion: {metric: 'tdds', order: 'both-ends'},
      rule: 'cartography-head',
      classBalance: 'equal',
      seed: 0,
      metrics: ['el2n', 'loss-trajectory'],
      scoreWindow: 4,
      burnOut: 5,
    },
  );
});

test('every enum value of the contract but the unspecified one has a name, and comes back as it went', async t => {
  const {client, runs} = await startTestServer(t);
  const known = (enumeration: Record<string, string | number>) =>
    Object.values(enumeration).filter((value): value is number => typeof value === 'number' && value > 0);
  for (const metric of known(InstanceMetric)) {
    runs.maps.set('map', dataMapRecord('map'));
    await client.buildDataMap({
      run: 'runs/ref',
      metrics: [metric],
      selection: {criterion: {$case: 'metric', value: {metric}}},
    });
    const {selection, metrics} = runs.calls.pop() as DataMapCreation;
    const filled = {...dataMapRecord('map').selection, ...selection};
    runs.maps.set('map', dataMapRecord('map', {selection: filled, metrics}));
    const map = await client.getDataMap({name: 'dataMaps/map'});
    assert.deepEqual(map.metrics, [metric]);
    assert.equal(map.selection?.criterion?.$case === 'metric' && map.selection.criterion.value.metric, metric);
  }
  for (const region of known(Region)) {
    await client.buildDataMap({run: 'runs/ref', selection: {criterion: {$case: 'region', value: region}}});
    const {selection} = runs.calls.pop() as DataMapCreation;
    assert.ok(selection?.criterion && 'region' in selection.criterion);
  }
});

test('the answer tells the diagnostics, the epochs and the thresholds', async t => {
  const {client, runs} = await startTestServer(t);
  const record = dataMapRecord('map', {selection: {...dataMapRecord('map').selection, count: 12}});
  runs.maps.set('map', record);
  const {diagnostics, selection, scoreWindow} = await client.getDataMap({name: 'dataMaps/map'});
  assert.deepEqual([selection?.count, selection?.fraction, scoreWindow], [12, 0, 2]);
  assert.deepEqual(diagnostics?.warnings, record.diagnostics.warnings);
  assert.deepEqual(
    [diagnostics?.labelShift, diagnostics?.inDistributionAccuracy, diagnostics?.lastEpochGain],
    [0.125, 0.875, 0.02],
  );
  assert.equal(diagnostics?.thresholdTieRatio, 1 / 40_000);
  assert.deepEqual(diagnostics?.thresholds, record.thresholds);
  assert.deepEqual(diagnostics?.epochs, [
    {epoch: 0, accuracy: 0.5, meanPTrue: 0.4, trainLoss: 0.7},
    {epoch: 1, accuracy: 0.75, meanPTrue: 0.6, trainLoss: 0.5},
  ]);
});

test('CompareDataMaps hands the two names on and answers with all that was found', async t => {
  const {client, runs} = await startTestServer(t);
  const found = await client.compareDataMaps({dataMap: 'dataMaps/a', otherDataMap: 'dataMaps/b'});
  assert.deepEqual(runs.calls, [{id: 'a', otherId: 'b'}]);
  assert.deepEqual(found.hardToLearn, dataMapComparison.hardToLearn);
  assert.deepEqual([found.selected?.sharedCount, found.ambiguous?.sharedCount, found.instanceCount], [1, 2, 10]);
  assert.deepEqual([found.confidenceSpearman, found.variabilitySpearman], [0.25, -0.25]);
  assert.deepEqual([found.easyRatio, found.otherEasyRatio], [0.4, 0.3]);
  const {counts, kappa} = dataMapComparison.agreement;
  assert.deepEqual(found.regionAgreement, {counts, kappa, agreement: 0.6});
  const error = await errorOf(client.compareDataMaps({dataMap: 'a', otherDataMap: ''}));
  const fields = detail(error, 'google.rpc.BadRequest')?.fieldViolations.map(({field}) => field);
  assert.deepEqual(fields, ['data_map', 'other_data_map']);
});

test('values that the contract does not have are violations, all of them at once', async t => {
  const {client} = await startTestServer(t);
  const build = (metric: number) =>
    errorOf(client.buildDataMap({run: 'runs/ref', selection: {criterion: {$case: 'metric', value: {metric}}}}));
  for (const metric of [0, 42]) assert.equal(reasonOf(await build(metric)), 'INVALID_FIELD');
  const wrong = await errorOf(
    client.buildDataMap({
      run: 'ref',
      epochs: {first: 2, last: 1},
      variabilityEstimator: 77 as VariabilityEstimator,
      selection: {criterion: {$case: 'region', value: 78 as Region}, fraction: 1.5, count: -1, rule: 79 as Rule},
      metrics: [0, 80 as InstanceMetric],
      burnOut: -2,
    }),
  );
  assert.deepEqual(
    detail(wrong, 'google.rpc.BadRequest')
      ?.fieldViolations.map(({field}) => field)
      .sort(),
    [
      ...['burn_out', 'epochs.last', 'metrics[0]', 'metrics[1]', 'run', 'selection.count', 'selection.count'],
      ...['selection.fraction', 'selection.region', 'selection.rule', 'variability_estimator'],
    ],
  );
});

test('the blocks of a map are under 256 KiB and hold every column whole', async t => {
  const {client, runs} = await startTestServer(t);
  runs.maps.set('map', dataMapRecord('map', {instanceCount: 40_000}));
  const responses = await collect(client.readDataMap({name: 'dataMaps/map', includeInstanceIds: true}));
  assert.ok(responses.length > 2);
  for (const response of responses) assert.ok(ReadDataMapResponse.encode(response).finish().length < 256 * 1024);
  const blocks = responses.map(({block}) => block!);
  const columns = dataMapColumns(40_000);
  const floats = (bytes: Buffer) => new Float32Array(Uint8Array.from(bytes).buffer);
  assert.deepEqual(floats(Buffer.concat(blocks.map(b => b.confidence))), columns.confidence);
  assert.deepEqual(floats(Buffer.concat(blocks.map(b => b.variability))), columns.variability);
  assert.deepEqual(
    blocks.flatMap(b => b.correctEpochs),
    [...columns.correctness],
  );
  assert.deepEqual(
    blocks.flatMap(b => b.forgettingEvents),
    [...columns.forgettingEvents],
  );
  assert.deepEqual(
    blocks.flatMap(b => b.instanceIds),
    columns.instanceIds,
  );
  for (const {selected, firstInstance, instanceCount} of blocks)
    for (let i = 0; i < instanceCount; i++)
      assert.equal((selected[i >> 3] >> (i & 7)) & 1, columns.isSelected[firstInstance + i]);
});

test('score columns come with the blocks when they are asked for, rows whole', async t => {
  const {client, runs} = await startTestServer(t);
  runs.maps.set('map', dataMapRecord('map', {instanceCount: 40_000}));
  const read = (includeMetrics: boolean) => collect(client.readDataMap({name: 'dataMaps/map', includeMetrics}));
  assert.ok((await read(false)).every(({block}) => block?.metricColumns.length === 0));
  const responses = await read(true);
  assert.ok(responses.length > 3);
  for (const response of responses) assert.ok(ReadDataMapResponse.encode(response).finish().length < 256 * 1024);
  dataMapColumns(40_000).metricColumns.forEach(({values}, at) => {
    const bytes = Buffer.concat(responses.map(({block}) => block!.metricColumns[at].values));
    assert.deepEqual(new Float32Array(Uint8Array.from(bytes).buffer), values);
  });
  const [el2n, trajectory] = responses[0].block!.metricColumns;
  assert.equal(el2n.metric, InstanceMetric.INSTANCE_METRIC_EL2N);
  assert.equal(trajectory.values.length, 2 * el2n.values.length);
});

test('a map is read from an offset for a limit, and not past its end', async t => {
  const {client, runs} = await startTestServer(t);
  runs.maps.set('map', dataMapRecord('map', {instanceCount: 10}));
  const read = (offset: number, limit: number) => collect(client.readDataMap({name: 'dataMaps/map', offset, limit}));
  const [{block}] = await read(4, 3);
  assert.deepEqual([block?.firstInstance, block?.instanceCount, block?.instanceIds], [4, 3, []]);
  assert.equal((await read(8, 100))[0].block?.instanceCount, 2);
  assert.deepEqual(await read(10, 0), []);
  const error = await errorOf(read(11, 0));
  assert.equal(error.code, 11);
  assert.equal(reasonOf(error), 'OFFSET_PAST_END');
  assert.equal(reasonOf(await errorOf(read(-1, -1))), 'INVALID_FIELD');
});
