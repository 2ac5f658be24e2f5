// Rounds of evaluation → the best one, and when to stop.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {defaultSplits, scoreOf, watchRounds} from '../../src/pipeline/early-stopping.js';
import type {EarlyStopping, Evaluation} from '../../src/pipeline/types.js';
import {needsShared} from '../support/shared.js';
import {parityCases} from './parity-cases.js';

const onOod: EarlyStopping = {metric: 'accuracy', splits: ['ood'], aggregate: 'mean', patience: 2};
const evaluation = (split: string, value: number, steps = 10): Evaluation => ({
  ...{split, isOutOfDistribution: split !== 'id', accuracy: value, macroF1: value / 2, loss: 1 - value},
  ...{instanceCount: 10, steps, committedEpochs: 0},
});
const rounds = (values: number[]) => values.map((value, i) => [evaluation('ood', value, 10 * (i + 1))]);

/** Number of the round after which training ends; of the last where it never does. */
function stopOf(values: number[], stopping: EarlyStopping): number {
  const all = rounds(values);
  for (let count = 1; count <= all.length; count++) if (watchRounds(all.slice(0, count), stopping).isOver) return count;
  return all.length;
}

test('training stops after the rounds of the parity kit, with its best one', {skip: needsShared}, () => {
  const {cases} = parityCases().early_stop_cases;
  assert.equal(cases.length, 6);
  for (const {sequence, patience, expected} of cases) {
    const stopping = {...onOod, patience};
    const stop = stopOf(sequence, stopping);
    assert.equal(stop, expected.stopped_after_eval, String(sequence));
    const watch = watchRounds(rounds(sequence).slice(0, stop), stopping);
    assert.deepEqual([watch.bestSteps, watch.bestScore], [10 * expected.best_eval, expected.best]);
  }
});

test('a round is the best when it is better than all before it: an equal one is not', () => {
  const isBest = (values: number[]) => watchRounds(rounds(values), onOod).isBest;
  assert.deepEqual(
    [isBest([0.4]), isBest([0.4, 0.5]), isBest([0.4, 0.4]), isBest([0.5, 0.4])],
    [true, true, false, false],
  );
  assert.equal(watchRounds(rounds([0.4, 0.5, 0.45]), onOod).roundsSinceBest, 1);
});

test('of a loss the lowest is the best', () => {
  const watch = watchRounds(rounds([0.4, 0.5, 0.45, 0.3]), {...onOod, metric: 'loss', patience: 3});
  assert.deepEqual([watch.bestSteps, watch.bestScore, watch.roundsSinceBest, watch.isOver], [20, 0.5, 2, false]);
});

test('a score that is no number is never better than one that is', () => {
  for (const metric of ['accuracy', 'loss'] as const) {
    const best = (values: number[]) => watchRounds(rounds(values), {...onOod, metric}).bestSteps;
    assert.deepEqual([best([Number.NaN, 0.1]), best([0.1, Number.NaN])], [20, 10]);
  }
});

test('the score is the mean of the watched splits, none weighted, or the worst of them', () => {
  const round = [evaluation('id', 0.9), evaluation('a', 0.25), {...evaluation('b', 0.75), instanceCount: 1000}];
  const score = (changes: Partial<EarlyStopping>) => scoreOf(round, {...onOod, splits: ['a', 'b'], ...changes});
  assert.equal(score({}), 0.5);
  assert.equal(score({aggregate: 'worst'}), 0.25);
  assert.equal(score({metric: 'macro-f1'}), 0.25);
  assert.equal(score({metric: 'loss'}), 0.5);
  assert.equal(score({metric: 'loss', aggregate: 'worst'}), 0.75);
});

test('what is out of distribution is watched, or everything where nothing is', () => {
  const set = (split: string, isOutOfDistribution: boolean) => ({split, isOutOfDistribution});
  assert.deepEqual(defaultSplits([set('id', false), set('a', true), set('b', true)]), ['a', 'b']);
  assert.deepEqual(defaultSplits([set('id', false), set('dev', false)]), ['id', 'dev']);
});
