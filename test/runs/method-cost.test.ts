// What a model has cost with everything that it needed, part by part.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {methodCost, needsReference, type RunCost} from '../../src/runs/method-cost.js';

/** Of which evaluation takes a fifth and dynamics a twentieth. */
const cost = (ms: number, flops: number): RunCost => ({
  acceleratorMs: ms,
  flops,
  phases: {
    ...{loading: {ms: 0, flops: 0}, training: {ms: 0.7 * ms, flops: 0.75 * flops}, checkpoint: {ms: 0, flops: 0}},
    ...{dynamics: {ms: 0.05 * ms, flops: 0}, evaluation: {ms: 0.2 * ms, flops: 0.25 * flops}},
  },
});
const times = (made: ReturnType<typeof methodCost>) =>
  made.parts.map(({item, acceleratorMs}) => [item, acceleratorMs && Math.round(acceleratorMs)]);

test('reference, its dynamics, the map, the main run and all evaluations are counted apart, and nothing twice', () => {
  const made = methodCost({
    main: cost(1000, 400),
    reference: {cost: cost(2000, 800), mapMs: 30},
    erm: {run: 'erm', cost: cost(4000, 1600)},
  });
  assert.deepEqual(times(made), [
    ['reference', 1500],
    ['dynamics', 100],
    ['data-map', 30],
    ['main', 800],
    ['evaluation', 600],
  ]);
  assert.deepEqual([made.acceleratorMs, made.flops], [3030, 1200]);
  assert.deepEqual(
    made.parts.map(({flops}) => flops),
    [600, 0, 0, 300, 300],
  );
  assert.deepEqual(made.erm, {run: 'erm', acceleratorMs: 4000, flops: 1600});
});

test('a method that needs no reference pays for none', () => {
  const made = methodCost({main: cost(1000, 400)});
  assert.deepEqual(times(made), [
    ['main', 800],
    ['evaluation', 200],
  ]);
  assert.deepEqual([made.acceleratorMs, made.erm], [1000, undefined]);
});

test('what is not known stays unknown: a reference trained elsewhere, a run without a rate', () => {
  const elsewhere = methodCost({main: cost(1000, 400), reference: {cost: undefined, mapMs: 30}});
  assert.deepEqual(times(elsewhere), [
    ['reference', undefined],
    ['dynamics', undefined],
    ['data-map', 30],
    ['main', 800],
    ['evaluation', 200],
  ]);
  assert.equal(elsewhere.acceleratorMs, undefined);
  const unrated = methodCost({main: {...cost(1000, 400), acceleratorMs: undefined}});
  assert.deepEqual([unrated.acceleratorMs, unrated.flops], [undefined, 400]);
});

test('runs of older versions, whose phases are not known, are paid for whole', () => {
  const old = {acceleratorMs: 2000, flops: 800};
  const made = methodCost({main: cost(1000, 400), reference: {cost: old, mapMs: 0}});
  assert.deepEqual(times(made).slice(0, 2), [
    ['reference', 2000],
    ['dynamics', 0],
  ]);
  assert.equal(made.acceleratorMs, 3000);
});

test('only what is selected by a reference needs one', () => {
  const selection = (region: 'ambiguous' | 'random') =>
    ({criterion: {region}, fraction: 0.33, rule: 'rank', seed: 0}) as const;
  assert.ok(needsReference({dataMap: 'map', selection: selection('ambiguous')}));
  assert.ok(needsReference({dataMap: 'map'}), 'a map of an older version');
  assert.ok(!needsReference({dataMap: 'map', selection: selection('random')}));
  assert.ok(!needsReference({}));
});
