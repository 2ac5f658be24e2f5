import assert from 'node:assert/strict';
import {test} from 'node:test';
import {LiveProgress} from '../../src/runs/live-progress.js';
import type {Spent} from '../../src/runs/trainer-protocol.js';
import {pendingRun} from './support/store-values.js';

const nothing = {ms: 0, flops: 0};
const spent = (flops: number): Spent => ({
  phases: {loading: nothing, training: {ms: 10, flops}, dynamics: nothing, evaluation: nothing, checkpoint: nothing},
  peakMemoryBytes: 1000,
});

test('loss is the mean of the last ten steps, time left that of recent steps and of the evaluations to come', () => {
  const {run} = pendingRun('a', {evaluationIntervalSteps: 20});
  const live = new LiveProgress(
    {...run, progress: {...run.progress, totalSteps: 45}, cost: {...run.cost, flops: 5, acceleratorMs: 100}},
    1000,
  );
  assert.deepEqual([live.at(1000).trainLoss, live.at(1000).estimatedRemainingMs], [undefined, undefined]);
  for (let steps = 1; steps <= 25; steps++) {
    const step = {kind: 'step', steps, loss: steps, gradNorm: 1, learningRate: 1, instances: 4, tokens: 40} as const;
    live.step({...step, realTokens: 30, dynamicsSeconds: 0, seconds: steps <= 5 ? 9 : 0.5});
  }
  live.evaluation(3);
  live.spend(spent(200));
  const {steps, trainLoss, estimatedRemainingMs, cost} = live.at(1250);
  assert.deepEqual([steps, trainLoss], [25, 20.5]);
  assert.equal(estimatedRemainingMs, 1000 * (20 * 0.5 + 2 * 3), '20 steps, evaluations after 40 and 45');
  assert.deepEqual(cost, {
    ...{acceleratorMs: 350, trainedInstances: 100, trainedTokens: 1000, flops: 205, steps: 25, trainedRealTokens: 750},
    ...{peakMemoryBytes: 1000, phases: spent(200).phases},
  });
});

test('what earlier attempts spent is added to, the most memory of them all is kept, and energy is what was drawn meanwhile', () => {
  const {run} = pendingRun('a');
  const before = {steps: 5, trainedRealTokens: 50, peakMemoryBytes: 5000, phases: spent(7).phases};
  const energy = {joules: 40, source: 'RAPL' as const};
  let joules = 100;
  const meter = {source: 'RAPL' as const, joules: () => joules, deviceMemoryBytes: () => undefined, close() {}};
  const live = new LiveProgress({...run, cost: {...run.cost, ...before, energy}}, 0, meter);
  live.spend(spent(3));
  joules = 130;
  const {cost} = live.at(0);
  assert.deepEqual(cost.energy, {joules: 70, source: 'RAPL'});
  assert.deepEqual([cost.steps, cost.trainedRealTokens, cost.peakMemoryBytes], [5, 50, 5000]);
  assert.deepEqual(cost.phases?.training, {ms: 20, flops: 10});
  const onGpu = new LiveProgress(run, 0, {...meter, source: 'NVML', deviceMemoryBytes: () => 9000});
  onGpu.spend(spent(3));
  assert.equal(onGpu.at(0).cost.peakMemoryBytes, 9000, "the device's, not the process's");
});
