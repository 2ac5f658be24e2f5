// A map's diagnostics as sentences.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {
  describeComparison,
  describeDataMap,
  describeDiagnostics,
  selectionWords,
} from '../../src/cli/data-map-words.js';
import {
  CompareDataMapsResponse,
  type DeepPartial,
  InstanceMetric,
  MetricCriterion_Order,
  Region,
  Selection,
  Selection_ClassBalance,
} from '../../src/server/gen/ftft/v1/data_map.js';
import {Run} from '../../src/server/gen/ftft/v1/run.js';
import {fakeMap} from './support/fake-tale.js';

const map = () => fakeMap('dataMaps/m', Run.fromPartial({}), undefined);

test('long sentences break below 100 columns, and no word is lost', () => {
  const long = map();
  long.diagnostics!.referenceVerdictReason = `${'numbers behind the verdict '.repeat(9)}end`;
  const lines = describeDiagnostics(long);
  for (const line of lines) assert.ok(line.length <= 92, line);
  assert.equal(lines.join(' ').match(/numbers\s+behind\s+the\s+verdict/g)?.length, 9);
  assert.ok(lines.slice(-2).every(line => line.startsWith(' '.repeat(10))));
});

test('warnings follow the verdict, and a number asked for is shown as one', () => {
  const warned = map();
  warned.selection!.count = 3;
  warned.selection!.fraction = 0;
  warned.diagnostics!.warnings = ['Ties decide: 4 instances have the very score at the edge'];
  warned.diagnostics!.inDistributionAccuracy = 0.9125;
  const words = describeDataMap(warned);
  warned.diagnostics!.requestedCount = 3;
  assert.match(describeDataMap(warned), /\(3 asked for\)/);
  assert.match(words, /^accuracy {2}91\.3 % of/m);
  assert.match(words, /\nwarning {3}Ties decide: 4 instances have the very score at the edge$/);
});

test('a share is shown with the number it makes, and learning from the first epoch used to the last', () => {
  const told = map();
  Object.assign(told.diagnostics!, {requestedCount: 1320, lastEpochGain: -0.0421});
  told.diagnostics!.epochs = [0.5, 0.7, 0.6579].map((meanPTrue, at) => ({
    ...{epoch: at + 1, accuracy: 0.905, meanPTrue, trainLoss: 0},
  }));
  told.selection!.fraction = 0.33;
  assert.match(describeDataMap(told), /\(33 %, 1,320 asked for\)/);
  assert.match(
    describeDataMap(told).replaceAll(/\s+/g, ' '),
    / learning mean p_true 0\.500 in epoch 1, 0\.658 in epoch 3 \(−0\.042 in the last one\), 90\.5 % right there verdict/,
  );
  told.diagnostics!.lastEpochGain = undefined;
  assert.doesNotMatch(describeDataMap(told), /learning/);
});

test('selections are named as on the command line', () => {
  const words = (selection: DeepPartial<Selection>) => selectionWords(Selection.fromPartial(selection));
  assert.equal(selectionWords(undefined), 'ambiguous');
  assert.equal(words({criterion: {$case: 'region', value: Region.REGION_HARD_TO_LEARN}}), 'hard-to-learn');
  const metric = {
    metric: InstanceMetric.INSTANCE_METRIC_THRESHOLD_CLOSENESS,
    order: MetricCriterion_Order.ORDER_LOWEST_FIRST,
  };
  assert.equal(words({criterion: {$case: 'metric', value: metric}}), 'lowest threshold closeness');
  const regions = {anyOf: [Region.REGION_AMBIGUOUS, Region.REGION_HARD_TO_LEARN], noneOf: [Region.REGION_ERROR_SET]};
  assert.equal(words({criterion: {$case: 'regions', value: regions}}), 'ambiguous or hard-to-learn, not error-set');
  const stratified = {metric: InstanceMetric.INSTANCE_METRIC_LOSS, strata: 50};
  assert.equal(
    words({
      criterion: {$case: 'stratified', value: stratified},
      classBalance: Selection_ClassBalance.CLASS_BALANCE_EQUAL,
    }),
    '50 strata of loss, as many of each class',
  );
  assert.equal(words({criterion: {$case: 'clustered', value: {clusters: 100}}}), '100 clusters of loss trajectories');
});

test('a comparison is told with its chance level and the matrix of regions', () => {
  const overlap = {
    count: 4,
    otherCount: 3,
    sharedCount: 2,
    overlap: 0.5,
    otherOverlap: 2 / 3,
    jaccard: 0.4,
    chanceOverlap: 0.3,
  };
  const counts = [1, 0, 1, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1000];
  const words = describeComparison(
    CompareDataMapsResponse.fromPartial({
      selected: overlap,
      ambiguous: overlap,
      hardToLearn: overlap,
      confidenceSpearman: 0.25,
      variabilitySpearman: Number.NaN,
      easyRatio: 0.5,
      otherEasyRatio: 0.25,
      regionAgreement: {counts, agreement: 0.99, kappa: 0.5},
      instanceCount: 1005,
    }),
  );
  assert.match(
    words,
    /^selected {2}2 of 4 and 3 on both: 50\.0 % of the first \(30\.0 % by chance\), Jaccard 0\.400$/m,
  );
  assert.match(words, /Spearman 0\.250 of confidence, NaN of variability/);
  assert.match(words, /99\.0 % of 1,005 instances in the same one \(kappa 0\.500\)/);
  assert.match(words, /^ {10}easy +0 +0 +0 +1,000$/m);
});
