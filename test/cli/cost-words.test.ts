// Costs in words.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {costLines, estimateLines, methodLines} from '../../src/cli/cost-words.js';
import {
  CostEstimate,
  MethodCost,
  MethodCost_Item,
  PhaseCost_Phase,
  TrainingCost,
} from '../../src/server/gen/ftft/v1/run.js';

const time = (seconds: number) => ({seconds: Math.floor(seconds), nanos: Math.round((seconds % 1) * 1e9)});
const method = MethodCost.fromPartial({
  parts: [
    {item: MethodCost_Item.ITEM_REFERENCE, acceleratorTime: time(40)},
    {item: MethodCost_Item.ITEM_DYNAMICS, acceleratorTime: time(0.25)},
    {item: MethodCost_Item.ITEM_DATA_MAP, acceleratorTime: time(0.1)},
    {item: MethodCost_Item.ITEM_MAIN, acceleratorTime: time(30)},
    {item: MethodCost_Item.ITEM_EVALUATION, acceleratorTime: time(10)},
  ],
  acceleratorTime: time(80.35),
  ermAcceleratorTime: time(130),
  ermRun: 'runs/erm',
  percentOfErm: 61.8,
  flopsPercentOfErm: 55.2,
});

test('a cost tells its phases and what was used', () => {
  const cost = TrainingCost.fromPartial({
    phases: [
      {phase: PhaseCost_Phase.PHASE_LOADING, acceleratorTime: time(4.25)},
      {phase: PhaseCost_Phase.PHASE_TRAINING, acceleratorTime: time(130)},
    ],
    ...{steps: 1280, trainedRealTokens: 20_480, flops: 1.5e12, peakMemoryBytes: 2 ** 31, energyJoules: 1234.5},
  });
  assert.deepEqual(costLines(cost), [
    'cost    loading 4.3 s, training 2:10',
    'used    1,280 steps, 20,480 tokens, 1.50 TFLOP, 2.00 GiB, 1,235 J',
  ]);
  assert.deepEqual(costLines(TrainingCost.fromPartial({})), [], 'of a run that has not begun, or of an older version');
  const plain = costLines(TrainingCost.fromPartial({steps: 1, flops: 2e13}));
  assert.deepEqual(plain, ['used    1 steps, 0 tokens, 20 TFLOP'], 'no energy where none was measured');
});

test('a method tells its parts, their sum, and both beside ERM', () => {
  assert.deepEqual(methodLines(method), [
    'method  reference 40.0 s + dynamics 0.3 s + data map 0.1 s + main model 30.0 s + evaluation 10.0 s = 1:20',
    'ERM     62 % of its time, 55 % of its operations (runs/erm, 2:10)',
  ]);
});

test('what is not known is said so, and compared with nothing', () => {
  const parts = [{item: MethodCost_Item.ITEM_REFERENCE}, {item: MethodCost_Item.ITEM_MAIN, acceleratorTime: time(3)}];
  assert.deepEqual(methodLines(MethodCost.fromPartial({parts})), ['method  reference not known + main model 3.0 s']);
});

test('an estimate tells the time, the saving and where both come from', () => {
  const estimate = CostEstimate.fromPartial({
    ...{acceleratorTime: time(31), leastAcceleratorTime: time(12), steps: 42, trainedRealTokens: 9000, flops: 2e12},
    ...{methodCost: {...method, ermRun: ''}, savingPercent: 38.2, note: 'Rates of runs/small'},
  });
  assert.deepEqual(estimateLines(estimate), [
    'time    about 31.0 s, at least 12.0 s: 42 steps, 9,000 tokens, 2.00 TFLOP',
    methodLines(method)[0],
    'ERM     62 % of its time, 55 % of its operations (as estimated, 2:10)',
    'saving  38 % of the time of ERM',
    'source  Rates of runs/small',
  ]);
  const unknown = CostEstimate.fromPartial({steps: 42, note: 'No rate is known'});
  assert.deepEqual(estimateLines(unknown), [
    'time    not known: 42 steps, 0 tokens, 0.00 TFLOP',
    'source  No rate is known',
  ]);
});
