// ftft compare against a service in memory: which runs it makes, that it makes none twice, and what its tables say.
import assert from 'node:assert/strict';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, afterEach, before, beforeEach, test} from 'node:test';
import {importComparedData} from '../../src/cli/compare-data.js';
import type {ArmName, ArmResult} from '../../src/cli/compare-runs.js';
import {comparisonText} from '../../src/cli/compare-table.js';
import {connect} from '../../src/cli/connect.js';
import {Dataset} from '../../src/server/gen/ftft/v1/dataset.js';
import type {FineTuneMainRequest, TrainReferenceRequest} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {Method, MethodCost_Item, Run, Run_State} from '../../src/server/gen/ftft/v1/run.js';
import {type FakeService, startFakeService} from './support/fake-service.js';
import {run} from './support/terminal.js';

let folder: string;
let fake: FakeService;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ftft-compare-test-'));
});
beforeEach(async () => {
  fake = await startFakeService();
  fake.isQuick = true;
  const splits = ['train', 'dev', 'test', 'test_far'].map(name => ({name, outOfDistribution: name === 'test_far'}));
  fake.datasets.set('datasets/reviews', Dataset.fromPartial({name: 'datasets/reviews', splits}));
});
afterEach(() => fake.stop());
after(() => rm(folder, {recursive: true}));

const compare = (...options: string[]) =>
  run(fake.address, [
    ...['compare', 'reviews', '--dev-splits', 'dev', '--test-splits', 'test,test_far', '--out', folder],
    ...options,
  ]);
const made = (method: string) => fake.requests.filter(one => one.method === method).map(({request}) => request);
const mains = () => made('fineTuneMain') as FineTuneMainRequest[];
const references = () => made('trainReference') as TrainReferenceRequest[];

test('each seed has its reference, its ERM run and nine main runs, whose methods alone tell them apart', async () => {
  const {exitCode, out, err} = await compare('--seeds', '2', '--reference', '2');
  assert.equal(exitCode, 0, err);
  assert.deepEqual(
    references().map(({runId, spec}) => [runId, spec?.seed, spec?.layers]),
    [0, 1].flatMap(seed => [
      [`compare-s${seed}-erm`, seed, 0],
      [`compare-s${seed}-reference`, seed, 2],
    ]),
  );
  assert.equal(mains().length, 18);
  const common = ({runId, dataMap, method, labels, ...rest}: FineTuneMainRequest) => JSON.stringify(rest);
  const ofSeed = mains().slice(0, 9);
  const [plain, stopped] = [ofSeed.slice(0, 4), ofSeed.slice(4)];
  for (const group of [plain, stopped]) assert.equal(new Set(group.map(common)).size, 1);
  assert.deepEqual(
    stopped.map(({method}) => method),
    [
      ...[Method.METHOD_ERM, Method.METHOD_DATA_MAP, Method.METHOD_FTFT],
      ...[Method.METHOD_RANDOM, Method.METHOD_HARD_TO_LEARN],
    ],
  );
  assert.deepEqual([plain[0].stepBudget?.value, stopped[0].stepBudget?.value], [1 / 3, 1]);
  assert.equal(plain[0].earlyStopping, undefined);
  const {patience, evaluationIntervalSteps} = stopped[0].earlyStopping!;
  assert.deepEqual([patience, evaluationIntervalSteps], [2, 11], 'a twelfth of 128 steps');
  const {evaluationSplits, testSplits} = stopped[0].spec!;
  assert.deepEqual([evaluationSplits, testSplits], [['dev'], ['test', 'test_far']]);
  const [reference, own] = made('buildDataMap').map(request => (request as {run: string}).run);
  assert.deepEqual([reference, own], ['runs/compare-s0-reference', 'runs/compare-s0-erm']);
  assert.deepEqual(
    [stopped[0].dataMap, stopped[1].dataMap],
    ['', 'dataMaps/compare-s0-own-map'],
    'ERM has none, a data map its own',
  );
  assert.deepEqual(new Set([2, 3, 4].map(i => stopped[i].dataMap)), new Set(['dataMaps/compare-s0-map']));
  assert.match(out, /ERM +│ – +│ +128/);
});

test('what is there already is not made again; what failed is, under another name', async () => {
  fake.ending = Run_State.STATE_FAILED;
  const failed = await compare('--seeds', '1');
  assert.equal(failed.exitCode, 1);
  assert.match(failed.err, /runs\/compare-s0-erm failed/);
  fake.ending = Run_State.STATE_SUCCEEDED;
  const first = await compare('--seeds', '1');
  assert.deepEqual(
    references().map(({runId}) => runId),
    ['compare-s0-erm', 'compare-s0-erm-2', 'compare-s0-reference'],
  );
  const again = await compare('--seeds', '1');
  assert.deepEqual([references().length, mains().length], [3, 9]);
  const table = (text: string) => text.slice(text.indexOf('┌'));
  assert.equal(table(again.out), table(first.out));
  const kept = JSON.parse(await readFile(join(folder, 'results.json'), 'utf8'));
  assert.deepEqual([kept.length, kept[0].run, kept[0].evaluations.length], [10, 'runs/compare-s0-erm-2', 3]);
});

test('runs of other settings are not taken for those asked for', async () => {
  await compare('--seeds', '1');
  const {exitCode, err} = await compare('--seeds', '1', '--epochs', '5');
  assert.equal(exitCode, 3);
  assert.match(err, /runs\/compare-s0-erm must be of the same settings/);
  assert.equal((await compare('--seeds', '1', '--epochs', '5', '--prefix', 'longer')).exitCode, 0);
});

test('development and test sets of the movie reviews share no line, and are imported once', async () => {
  const sets = ['train', 'test_movie', 'ood_amazon', 'ood_tweets', 'ood_nyt'];
  for (const set of sets)
    await writeFile(
      join(folder, `${set}.jsonl`),
      Array.from({length: 9}, (_, i) => `{"uid": "${set}-${i}"}\n`),
    );
  const {client, close} = connect(fake.address);
  const sizes = {train: 5, dev: 2, test: 3};
  const data = await importComparedData(client, folder, sizes, new AbortController().signal);
  const lines = Object.fromEntries(
    fake.imports.map(({header, bytes}) => [
      header.split,
      bytes
        .toString()
        .match(/\d(?=")/g)
        ?.join(''),
    ]),
  );
  assert.deepEqual([lines.train, lines.test_tweets, lines.dev_tweets, lines.dev_movie], ['01234', '012', '34', '34']);
  assert.deepEqual(data.devSplits, ['dev_movie', 'dev_amazon', 'dev_tweets', 'dev_nyt']);
  assert.deepEqual(
    data.testSplits.map(({isOutOfDistribution}) => isOutOfDistribution),
    [false, true, true, true],
  );
  await importComparedData(client, folder, sizes, new AbortController().signal);
  assert.equal(fake.imports.length, 9);
  close();
});

function result(arm: ArmName, seed: number, accuracy: number, cost?: {main: number; percent: number}): ArmResult {
  const part = (item: MethodCost_Item, seconds: number) => ({item, acceleratorTime: {seconds}});
  const made = Run.fromPartial({
    name: `runs/${arm}-${seed}`,
    progress: {steps: 40 + 2 * seed},
    cost: {acceleratorTime: {seconds: 100}},
    evaluations: [
      {split: 'test', accuracy: 0.9, instanceCount: 500},
      {split: 'test_far', accuracy, instanceCount: 500},
    ],
    methodCost: cost && {
      parts: [part(MethodCost_Item.ITEM_REFERENCE, 20), part(MethodCost_Item.ITEM_MAIN, cost.main)],
      acceleratorTime: {seconds: 20 + cost.main},
      percentOfErm: cost.percent,
      flopsPercentOfErm: 45,
    },
  });
  return {arm, seed, isStoppedEarly: arm !== 'erm', run: made};
}

test('tables have mean and deviation over the seeds; differences are paired by seed', () => {
  const text = comparisonText(
    [
      ...[result('erm', 0, 0.7), result('erm', 1, 0.8)],
      ...[result('ftft', 0, 0.74, {main: 30, percent: 50}), result('ftft', 1, 0.86, {main: 34, percent: 54})],
    ],
    [
      {split: 'test', isOutOfDistribution: false},
      {split: 'test_far', isOutOfDistribution: true},
    ],
  );
  assert.match(text, /│ ERM +│ – +│ +41 │ +100 │ +100 │ +90\.0 │ +75\.0 │ +75\.0 │/);
  assert.match(text, /│ FTFT +│ early +│ +41 │ +52 │ +45 │ +90\.0 │ +80\.0 │ +80\.0 │/);
  assert.match(text, /± 8\.5/, 'sample deviation of 74 and 86');
  assert.match(text, /│ FTFT +│ early +│ +20\.0 │ +0\.0 │ +0\.0 │ +32\.0 │ +0\.0 │ +52\.0 │ +52 │/);
  // Differences 4 and 6 points: 5 ± 12.706 · sqrt(2) / sqrt(2).
  assert.match(text, /FTFT, early +\+5\.0 points, 95 % interval −7\.7 to \+17\.7: zero lies inside it/);
});
