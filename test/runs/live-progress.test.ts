import assert from 'node:assert/strict';
import {test} from 'node:test';
import {LiveProgress} from '../../src/runs/live-progress.js';
import {pendingRun} from './support/store-values.js';

test('loss is the mean of the last ten steps, time left that of recent steps and of the evaluations to come', () => {
  const {run} = pendingRun('a', {evaluationIntervalSteps: 20});
  const live = new LiveProgress(
    {...run, progress: {...run.progress, totalSteps: 45}, cost: {...run.cost, flops: 5, acceleratorMs: 100}},
    1000,
  );
  assert.deepEqual([live.at(1000).trainLoss, live.at(1000).estimatedRemainingMs], [undefined, undefined]);
  for (let steps = 1; steps <= 25; steps++) {
    const step = {kind: 'step', steps, loss: steps, gradNorm: 1, learningRate: 1, instances: 4, tokens: 40} as const;
    live.step({...step, seconds: steps <= 5 ? 9 : 0.5}, 7 * steps);
  }
  live.evaluation(3, 200);
  const {steps, trainLoss, estimatedRemainingMs, cost} = live.at(1250);
  assert.deepEqual([steps, trainLoss], [25, 20.5]);
  assert.equal(estimatedRemainingMs, 1000 * (20 * 0.5 + 2 * 3), '20 steps, evaluations after 40 and 45');
  assert.deepEqual(cost, {acceleratorMs: 350, trainedInstances: 100, trainedTokens: 1000, flops: 205});
});
