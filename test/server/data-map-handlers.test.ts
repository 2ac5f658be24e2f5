import assert from 'node:assert/strict';
import {test} from 'node:test';
import {
  InstanceMetric,
  MetricCriterion_Order as Order,
  Region,
  Selection_Rule as Rule,
  VariabilityEstimator,
  DataMapDiagnostics_ReferenceVerdict as Verdict,
} from '../../src/server/gen/ftft/v1/data_map.js';
import {ReadDataMapResponse} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {dataMapColumns, dataMapRecord} from './records.js';
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

test('metrics that need logits are refused by name, unknown values as violations', async t => {
  const {client} = await startTestServer(t);
  const build = (metric: number) =>
    errorOf(client.buildDataMap({run: 'runs/ref', selection: {criterion: {$case: 'metric', value: {metric}}}}));
  for (const name of ['EL2N', 'AREA_UNDER_MARGIN', 'ENTROPY', 'LOSS'] as const) {
    const error = await build(InstanceMetric[`INSTANCE_METRIC_${name}`]);
    assert.equal(reasonOf(error), 'NOT_SUPPORTED');
    assert.match(detail(error, 'google.rpc.ErrorInfo')?.metadata.field ?? '', new RegExp(`INSTANCE_METRIC_${name}$`));
  }
  for (const metric of [0, 42]) assert.equal(reasonOf(await build(metric)), 'INVALID_FIELD');
  const wrong = await errorOf(
    client.buildDataMap({
      run: 'ref',
      epochs: {first: 2, last: 1},
      variabilityEstimator: 77 as VariabilityEstimator,
      selection: {criterion: {$case: 'region', value: 78 as Region}, fraction: 1.5, rule: 79 as Rule},
    }),
  );
  assert.deepEqual(
    detail(wrong, 'google.rpc.BadRequest')
      ?.fieldViolations.map(({field}) => field)
      .sort(),
    ['epochs.last', 'run', 'selection.fraction', 'selection.region', 'selection.rule', 'variability_estimator'],
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
