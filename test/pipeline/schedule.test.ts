// Step counts → learning rates and evaluation points.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {budgetSteps, ermSteps, isEvaluationDue, learningRateAt} from '../../src/pipeline/schedule.js';
import {needsShared} from '../support/shared.js';
import {parityCases} from './parity-cases.js';

test("rates and evaluation steps are those of FTFT's configurations", {skip: needsShared}, () => {
  for (const {max_steps: totalSteps, eval_interval, base_lr, eval_steps, lr_at_update_index} of parityCases()
    .schedule_cases) {
    const schedule = {totalSteps, learningRate: base_lr, warmupRatio: 0.1};
    for (const [step, expected] of Object.entries(lr_at_update_index)) {
      const rate = learningRateAt(Number(step), schedule);
      assert.ok(Math.abs(rate - expected) <= 1e-12 * base_lr, `update ${step}: ${rate}, not ${expected}`);
    }
    const due = [];
    for (let steps = 0; steps <= totalSteps; steps++)
      if (isEvaluationDue(steps, totalSteps, eval_interval)) due.push(steps);
    assert.deepEqual(due, eval_steps);
  }
});

test('the rate rises from 0 to its peak at the end of the warm-up and would reach 0 after the last update', () => {
  const schedule = {totalSteps: 10, learningRate: 1, warmupRatio: 0.2};
  const rates = Array.from({length: 11}, (_, step) => learningRateAt(step, schedule));
  assert.deepEqual(rates, [0, 0.5, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0]);
});

test('a budget that is cut out of a longer schedule has the rates of the longer one', () => {
  const whole = {totalSteps: 12, learningRate: 1, warmupRatio: 0.25};
  const part = {...whole, totalSteps: 4, scheduleSteps: 12};
  for (let step = 0; step < 4; step++) assert.equal(learningRateAt(step, part), learningRateAt(step, whole));
  assert.equal(learningRateAt(3, part), 1, 'the peak, where a schedule of 4 steps would be at its end');
});

test('without warm-up the first update has the peak rate', () => {
  assert.equal(learningRateAt(0, {totalSteps: 4, learningRate: 0.5, warmupRatio: 0}), 0.5);
});

test('warm-up over every step never divides by zero', () => {
  assert.equal(learningRateAt(3, {totalSteps: 4, learningRate: 1, warmupRatio: 1}), 0.75);
});

test("MNLI's four epochs are 49,088 steps, and a third of them 16,362, rounded down, at least 1", () => {
  assert.equal(ermSteps(392_702, 32, 4), 49_088);
  assert.equal(budgetSteps(49_088, 1 / 3), 16_362);
  assert.equal(budgetSteps(2, 0.1), 1);
  assert.equal(budgetSteps(100, 0.29), 29, 'the product is 28.999999999999996');
});
