// FineTuneMain over gRPC: what it hands on to runs, what it refuses, and how a main run reads.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import type {MainCreation} from '../../src/runs/api.js';
import type {CostEstimate, LogEvent, MethodCost} from '../../src/runs/types.js';
import {
  CostEstimate_Source,
  EarlyStopping_Aggregate,
  EarlyStopping_Metric,
  EnergySource,
  Method,
  MethodCost_Item,
  PhaseCost_Phase,
  RunWarning_Code,
  ScheduleSpan,
} from '../../src/server/gen/ftft/v1/run.js';
import {noCost, runRecord} from './records.js';
import {detail, errorOf, reasonOf, startTestServer, type TestServer} from './start-test-server.js';

const spec = {dataset: 'datasets/movies', model: 'minilm-l6', layers: 3, seed: 7, warmupRatio: 0};
const lastCall = ({runs}: TestServer) => runs.calls.at(-1) as MainCreation;

test('FineTuneMain hands its map and budget on, and refuses budgets out of range', async t => {
  const server = await startTestServer(t);
  const dataMap = 'dataMaps/map';
  await server.client.fineTuneMain({dataMap, spec, stepBudget: {$case: 'maxSteps', value: 12}});
  assert.deepEqual((lastCall(server) as {budget?: object}).budget, {maxSteps: 12});
  const {run} = await server.client.fineTuneMain({dataMap, spec, stepBudget: {$case: 'stepFraction', value: 0.5}});
  assert.deepEqual((lastCall(server) as {budget?: object}).budget, {stepFraction: 0.5});
  assert.equal(run?.dataMap, dataMap);
  for (const stepBudget of [{$case: 'maxSteps', value: 0} as const, {$case: 'stepFraction', value: 1.5} as const])
    assert.equal(reasonOf(await errorOf(server.client.fineTuneMain({dataMap, spec, stepBudget}))), 'INVALID_FIELD');
});

test('FineTuneMain hands on method, early stopping and schedule; what is left out is left to runs', async t => {
  const server = await startTestServer(t);
  const ask = async (request: Parameters<typeof server.client.fineTuneMain>[0]) => {
    await server.client.fineTuneMain({dataMap: 'dataMaps/map', spec, ...request});
    return lastCall(server);
  };
  const plain = await ask({});
  assert.deepEqual([plain.method, plain.earlyStopping, plain.spec.scheduleSpan], [undefined, undefined, undefined]);
  assert.deepEqual((await ask({earlyStopping: {}})).earlyStopping, {});
  const whole = await ask({
    method: Method.METHOD_HARD_TO_LEARN,
    spec: {...spec, scheduleSpan: ScheduleSpan.SCHEDULE_SPAN_ERM_LENGTH},
    earlyStopping: {
      metric: EarlyStopping_Metric.METRIC_MACRO_F1,
      aggregate: EarlyStopping_Aggregate.AGGREGATE_WORST,
      splits: ['a', 'b'],
      patience: 3,
      evaluationIntervalSteps: 7,
    },
  });
  assert.deepEqual([whole.method, whole.spec.scheduleSpan], ['hard-to-learn', 'ERM_LENGTH']);
  assert.deepEqual(whole.earlyStopping, {
    ...{metric: 'macro-f1', aggregate: 'worst', splits: ['a', 'b'], patience: 3, evaluationIntervalSteps: 7},
  });
  const erm = await ask({method: Method.METHOD_ERM, dataMap: ''});
  assert.deepEqual([erm.method, erm.dataMap], ['erm', '']);
});

test('values of enums that the contract does not have are violations, and ERM alone needs no map', async t => {
  const {client} = await startTestServer(t);
  const fieldsOf = async (request: Parameters<typeof client.fineTuneMain>[0]) => {
    const error = await errorOf(client.fineTuneMain({dataMap: 'dataMaps/map', spec, ...request}));
    return detail(error, 'google.rpc.BadRequest')?.fieldViolations.map(({field}) => field);
  };
  assert.deepEqual(await fieldsOf({method: 9 as Method}), ['method']);
  const earlyStopping = {metric: 9 as EarlyStopping_Metric, aggregate: 9 as EarlyStopping_Aggregate, splits: ['A']};
  assert.deepEqual(await fieldsOf({earlyStopping}), [
    ...['early_stopping.splits[0]', 'early_stopping.metric', 'early_stopping.aggregate'],
  ]);
  assert.deepEqual(await fieldsOf({spec: {...spec, scheduleSpan: 9 as ScheduleSpan}}), ['spec.schedule_span']);
  assert.deepEqual(await fieldsOf({method: Method.METHOD_RANDOM, dataMap: ''}), ['data_map']);
  assert.deepEqual(await fieldsOf({method: Method.METHOD_ERM, dataMap: 'nonsense'}), ['data_map']);
});

test('what early stopping, warnings, costs and evaluations are stands in the run', async t => {
  const {client, runs} = await startTestServer(t);
  const stopping = {
    metric: 'loss',
    aggregate: 'worst',
    splits: ['test'],
    patience: 4,
    evaluationIntervalSteps: 5,
  } as const;
  const phase = (ms: number) => ({ms, flops: 10 * ms});
  const warning = {code: 'OUT_OF_DISTRIBUTION_GAP', message: 'far worse', steps: 12} as const;
  runs.records.set(
    'main',
    runRecord('main', {
      ...{kind: 'MAIN', method: 'random', earlyStopping: {...stopping, splits: ['test']}, warnings: [warning]},
      cost: {
        ...{...noCost, steps: 7, trainedTokens: 100, trainedRealTokens: 60, peakMemoryBytes: 2 ** 31},
        energy: {joules: 12.5, source: 'RAPL'},
        phases: {
          ...{loading: phase(1), training: phase(2000), dynamics: phase(3), evaluation: phase(4), checkpoint: phase(5)},
        },
      },
      evaluations: [
        {
          ...{split: 'test', isOutOfDistribution: false, accuracy: 0.75, macroF1: 0.7, loss: 0.5, instanceCount: 4},
          ...{steps: 5, committedEpochs: 1, accuracyInterval: {low: 0.3, high: 0.95}, calibrationError: 0.125},
          classCounts: [{gold: 3, predicted: 2, correct: 1}],
        },
      ],
    }),
  );
  const run = await client.getRun({name: 'runs/main'});
  assert.equal(run.method, Method.METHOD_RANDOM);
  assert.deepEqual(run.earlyStopping, {
    ...{metric: EarlyStopping_Metric.METRIC_LOSS, aggregate: EarlyStopping_Aggregate.AGGREGATE_WORST},
    ...{splits: ['test'], patience: 4, evaluationIntervalSteps: 5},
  });
  assert.deepEqual(run.warnings, [{...warning, code: RunWarning_Code.CODE_OUT_OF_DISTRIBUTION_GAP}]);
  assert.equal(run.spec?.scheduleSpan, ScheduleSpan.SCHEDULE_SPAN_STEP_BUDGET);
  const {steps, trainedRealTokens, peakMemoryBytes, energyJoules, energySource, phases} = run.cost!;
  assert.deepEqual([steps, trainedRealTokens, peakMemoryBytes, energyJoules], [7, 60, 2 ** 31, 12.5]);
  assert.equal(energySource, EnergySource.ENERGY_SOURCE_RAPL);
  assert.deepEqual(
    phases.map(({phase, acceleratorTime, flops}) => [phase, acceleratorTime, flops]),
    [
      [PhaseCost_Phase.PHASE_LOADING, {seconds: 0, nanos: 1e6}, 10],
      [PhaseCost_Phase.PHASE_TRAINING, {seconds: 2, nanos: 0}, 20_000],
      [PhaseCost_Phase.PHASE_DYNAMICS, {seconds: 0, nanos: 3e6}, 30],
      [PhaseCost_Phase.PHASE_EVALUATION, {seconds: 0, nanos: 4e6}, 40],
      [PhaseCost_Phase.PHASE_CHECKPOINT, {seconds: 0, nanos: 5e6}, 50],
    ],
  );
  const [{calibrationError, accuracyInterval, classCounts}] = run.evaluations;
  assert.deepEqual([calibrationError, accuracyInterval], [0.125, {low: 0.3, high: 0.95}]);
  assert.deepEqual(classCounts, [{goldCount: 3, predictedCount: 2, correctCount: 1}]);
  runs.records.set('old', runRecord('old'));
  const old = await client.getRun({name: 'runs/old'});
  assert.deepEqual([old.cost?.energyJoules, old.cost?.peakMemoryBytes, old.cost?.phases], [undefined, undefined, []]);
  assert.deepEqual([old.method, old.earlyStopping, old.warnings], [Method.METHOD_UNSPECIFIED, undefined, []]);
});

test('a round of evaluation tells what early stopping makes of it, and a warning is an event of its own', async t => {
  const {client, runs} = await startTestServer(t);
  const watch = {score: 0.5, isBest: false, bestScore: 0.75, bestSteps: 20, roundsSinceBest: 1, isOver: false};
  const warning = {code: 'NOT_CONVERGING', message: 'no', steps: 30} as const;
  const events: LogEvent[] = [
    {kind: 'evaluations-made', evaluations: [], cost: noCost},
    {kind: 'evaluations-made', evaluations: [], cost: noCost, watch},
    {kind: 'run-warned', warning},
    {kind: 'run-changed', run: runRecord('main', {state: 'SUCCEEDED'})},
  ];
  runs.appendAll('main', events);
  const seen = [];
  for await (const {event} of client.streamDynamics({name: 'runs/main', noFollow: true})) seen.push(event);
  const [plain, watched, warned] = seen;
  assert.ok(plain?.$case === 'evaluationsMade' && watched?.$case === 'evaluationsMade');
  assert.equal(plain.value.earlyStopping, undefined);
  assert.deepEqual(watched.value.earlyStopping, {score: 0.5, bestScore: 0.75, bestSteps: 20, roundsSinceBest: 1});
  assert.ok(warned?.$case === 'runWarned');
  assert.deepEqual(warned.value.warning, {code: RunWarning_Code.CODE_NOT_CONVERGING, message: 'no', steps: 30});
});

test('an estimate and the cost of a method are read with their shares of ERM; what is not known is unset', async t => {
  const {client, runs} = await startTestServer(t);
  const work = {
    ...{steps: 12, instances: 60, tokens: 700, realTokens: 500, trainingFlops: 1e9, wholeEpochs: 3},
    ...{predictions: 4, predictionFlops: 5e8},
  };
  const methodCost: MethodCost = {
    parts: [
      {item: 'reference', acceleratorMs: 30_000, flops: 1e9},
      {item: 'main', acceleratorMs: 10_000, flops: 5e8},
    ],
    ...{acceleratorMs: 40_000, flops: 1.5e9, erm: {run: 'erm', acceleratorMs: 80_000, flops: 6e9}},
  };
  const costEstimate: CostEstimate = {
    ...{source: 'EARLIER_RUN', sourceRun: 'other', note: 'Rates of runs/other', acceleratorMs: 10_000},
    ...{leastAcceleratorMs: 4000, work, methodCost},
  };
  runs.records.set('main', runRecord('main', {kind: 'MAIN', costEstimate, methodCost}));
  const run = await client.getRun({name: 'runs/main'});
  const estimate = run.costEstimate!;
  assert.deepEqual([estimate.source, estimate.sourceRun], [CostEstimate_Source.SOURCE_EARLIER_RUN, 'runs/other']);
  assert.deepEqual([estimate.acceleratorTime?.seconds, estimate.leastAcceleratorTime?.seconds], [10, 4]);
  assert.deepEqual([estimate.steps, estimate.trainedInstances, estimate.trainedTokens], [12, 60, 700]);
  assert.deepEqual([estimate.trainedRealTokens, estimate.flops, estimate.savingPercent], [500, 1.5e9, 50]);
  const {parts, ermRun, percentOfErm, flopsPercentOfErm, acceleratorTime} = run.methodCost!;
  assert.deepEqual(
    parts.map(({item, percentOfErm}) => [item, percentOfErm]),
    [
      [MethodCost_Item.ITEM_REFERENCE, 37.5],
      [MethodCost_Item.ITEM_MAIN, 12.5],
    ],
  );
  assert.deepEqual([ermRun, percentOfErm, flopsPercentOfErm, acceleratorTime?.seconds], ['runs/erm', 50, 25, 40]);

  const unknown: CostEstimate = {
    ...{note: 'No rate is known', work},
    methodCost: {parts: [{item: 'main', acceleratorMs: undefined, flops: 1}], acceleratorMs: undefined, flops: 1},
  };
  runs.records.set('dry', runRecord('dry', {costEstimate: unknown}));
  const dry = (await client.getRun({name: 'runs/dry'})).costEstimate!;
  assert.equal(dry.source, CostEstimate_Source.SOURCE_UNSPECIFIED);
  assert.deepEqual(
    [dry.acceleratorTime, dry.savingPercent, dry.methodCost?.acceleratorTime, dry.methodCost?.percentOfErm],
    [undefined, undefined, undefined, undefined],
  );
});

test('validate_only asks for an estimate, and a look for violations alone does not', async t => {
  const server = await startTestServer(t);
  const dataMap = 'dataMaps/map';
  await server.client.fineTuneMain({dataMap, spec, validateOnly: true});
  assert.deepEqual([lastCall(server).validateOnly, lastCall(server).wantsEstimate], [true, true]);
  await server.client.fineTuneMain({dataMap, spec});
  assert.deepEqual([lastCall(server).validateOnly, lastCall(server).wantsEstimate], [false, false]);
  await errorOf(server.client.fineTuneMain({dataMap: 'nonsense', spec, validateOnly: true}));
  assert.deepEqual([lastCall(server).validateOnly, lastCall(server).wantsEstimate], [true, false]);
});
