// What holds for every dynamics and selection: order of instances does not matter, nor ddof, and more is never less.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {type Arbitrary, assert as check, constantFrom, double, integer, property, record, tuple} from 'fast-check';
import {buildDataMap} from '../../src/pipeline/build-data-map.js';
import {goldColumns} from '../../src/pipeline/logits.js';
import {ascendingOrder} from '../../src/pipeline/order-statistics.js';
import {selectSubset} from '../../src/pipeline/select-subset.js';
import type {
  Criterion,
  DataMap,
  EpochDynamics,
  InstanceMetric,
  Selection,
  TrainingDynamics,
} from '../../src/pipeline/types.js';
import {permutation, randomStream} from '../../src/random.js';
import {range} from './parity-cases.js';

const metrics: InstanceMetric[] = [
  'first-learned',
  'presentations-to-learn',
  'aleatoric-uncertainty',
  'loss',
  'loss-trajectory',
  'dyn-unc',
  'dual',
  'el2n',
  'max-margin-error',
  'sum-margin-error',
  'area-under-margin',
  'accumulated-margin',
  'entropy',
  'final-entropy',
  'tdds',
];

/** Of three classes; logits on a coarse grid, so that there are ties. */
const dynamics: Arbitrary<TrainingDynamics> = tuple(
  integer({min: 1, max: 40}),
  integer({min: 2, max: 6}),
  integer(),
).map(([n, numEpochs, seed]) => {
  const random = randomStream(seed >>> 0, 'data');
  const labels = Int32Array.from({length: n}, () => Math.floor(3 * random()));
  const epochs = Array.from({length: numEpochs}, (): EpochDynamics => {
    const logits = Float32Array.from({length: 3 * n}, () => Math.round(16 * random()) / 4 - 2);
    return {...goldColumns(logits, labels, 3), logits};
  });
  return {instances: range(n), labels, numClasses: 3, epochs};
});

const criteria: Arbitrary<Criterion> = constantFrom<Criterion>(
  {region: 'ambiguous'},
  {region: 'hard-to-learn'},
  {region: 'easy-to-learn'},
  {region: 'random'},
  {metric: 'el2n', order: 'highest-first'},
  {metric: 'area-under-margin', order: 'lowest-first'},
  {anyOf: ['ambiguous', 'hard-to-learn'], noneOf: []},
);
const selections = record({
  criterion: criteria,
  rule: constantFrom('upstream-quantile', 'rank', 'cartography-head' as const),
  seed: integer({min: 0, max: 9}),
});
const share = double({min: 0, max: 1, noNaN: true});

const build = (given: TrainingDynamics): DataMap => buildDataMap(given, {metrics});

/** The same instances in another order. */
function reordered({labels, epochs, ...rest}: TrainingDynamics, order: Int32Array): TrainingDynamics {
  const rows = <C extends Float32Array | Int32Array | Uint8Array>(column: C): C => {
    const width = column.length / labels.length;
    return column.map((_, at) => column[order[Math.floor(at / width)] * width + (at % width)]) as C;
  };
  return {
    ...rest,
    labels: rows(labels),
    epochs: epochs.map(({pTrue, isCorrect, logits}) => ({
      pTrue: rows(pTrue),
      isCorrect: rows(isCorrect),
      logits: rows(logits),
    })),
  };
}

test('permuting the instances permutes the map, every score of it, and its regions', () => {
  check(
    property(dynamics, integer({min: 0}), share, (given, seed, fraction) => {
      const n = given.labels.length;
      const order = permutation(n, randomStream(seed, 'data'));
      const [map, other] = [build(given), build(reordered(given, order))];
      for (const name of ['confidence', 'variability', 'correctness', 'forgettingEvents', 'isWrongAtLast'] as const)
        for (let at = 0; at < n; at++) assert.equal(other[name][at], map[name][order[at]], name);
      for (const metric of metrics as (keyof DataMap['scores'])[]) {
        const [values, others] = [map.scores[metric]!, other.scores[metric]!];
        const width = values.length / n;
        for (let at = 0; at < values.length; at++)
          assert.equal(others[at], values[order[Math.floor(at / width)] * width + (at % width)], metric);
      }
      // By the strict quantile there is no index to break ties with.
      for (const region of ['ambiguous', 'hard-to-learn', 'easy-to-learn', 'easy-complement', 'error-set'] as const) {
        const selection: Selection = {criterion: {region}, fraction, rule: 'upstream-quantile', seed: 0};
        const moved = selectSubset(other, selection)
          .instances.map(at => order[at])
          .sort();
        assert.deepEqual(moved, selectSubset(map, selection).instances, region);
      }
    }),
  );
});

test('scaling by the degrees of freedom leaves the ranking as it is', () => {
  check(
    property(dynamics, share, (given, fraction) => {
      const [sample, population] = (['sample', 'population'] as const).map(variabilityEstimator =>
        buildDataMap(given, {variabilityEstimator}),
      );
      // Rounding to float32 may tell two deviations apart on one side only: they may swap, but only where they are next to equal.
      const order = ascendingOrder(population.variability);
      for (let at = 1; at < order.length; at++) {
        const [before, after] = [sample.variability[order[at - 1]], sample.variability[order[at]]];
        assert.ok(before <= after * (1 + 2 ** -22), `${before} before ${after}`);
      }
      const selected = (map: DataMap) =>
        selectSubset(map, {criterion: {region: 'ambiguous'}, fraction, rule: 'rank', seed: 0}).instances;
      assert.equal(selected(sample).length, selected(population).length);
    }),
  );
});

test('a greater share selects all that a smaller one does', () => {
  check(
    property(dynamics, selections, share, share, (given, selection, one, other) => {
      const map = build(given);
      const select = (fraction: number) => selectSubset(map, {...selection, fraction}).instances;
      const more = new Set(select(Math.max(one, other)));
      for (const instance of select(Math.min(one, other))) assert.ok(more.has(instance));
    }),
  );
});

test('the rank rule takes exactly as many as asked for, whatever the ties, the balance and the sampling', () => {
  const samplings = constantFrom<Criterion>(
    {region: 'ambiguous'},
    {metric: 'entropy', order: 'both-ends'},
    {stratified: {metric: 'loss', hardestShareDropped: 0, numStrata: 5}},
    {clustered: {numClusters: 4, numIterations: 3}},
  );
  const balances = constantFrom('none', 'equal' as const);
  check(
    property(dynamics, samplings, balances, share, (given, criterion, classBalance, fraction) => {
      const selection: Selection = {criterion, classBalance, fraction, rule: 'rank', seed: 0};
      const {instances, requestedCount} = selectSubset(build(given), selection, {labels: given.labels});
      assert.equal(instances.length, requestedCount);
      assert.equal(new Set(instances).size, instances.length);
      assert.deepEqual(instances, instances.slice().sort());
    }),
  );
});
