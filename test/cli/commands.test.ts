// The verbs against a service in memory: what they ask for, what they print, how they exit.
import assert from 'node:assert/strict';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, beforeEach, test} from 'node:test';
import {ftft} from '../../src/cli/program.js';
import {Region} from '../../src/server/gen/ftft/v1/data_map.js';
import type {
  BuildDataMapRequest,
  FineTuneMainRequest,
  TrainReferenceRequest,
} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {Run_Kind, Run_State} from '../../src/server/gen/ftft/v1/run.js';
import {addRun, type FakeService, startFakeService} from './support/fake-service.js';
import {createTerminal, run} from './support/terminal.js';

let fake: FakeService;
let folder: string;
before(async () => {
  fake = await startFakeService();
  folder = await mkdtemp(join(tmpdir(), 'ftft-cli-'));
});
beforeEach(() => {
  fake.runs.clear();
  fake.requests.length = 0;
  fake.ending = Run_State.STATE_SUCCEEDED;
});
after(async () => {
  await fake.stop();
  await rm(folder, {recursive: true});
});
const lastRequest = <T>() => fake.requests.at(-1)!.request as T;

test('every verb has help with an example and the exit codes, and exits 0', async () => {
  const verbs = [
    'serve',
    'worker',
    'import',
    'import-dynamics',
    'import-folder',
    'import-known',
    'train-reference',
    'watch',
    'build-data-map',
    'compare-data-maps',
    'fine-tune-main',
    'runs list',
    'runs get',
    'runs cancel',
    'runs suspend',
    'runs resume',
    'runs delete',
    'data-maps',
    'export',
    'export-map',
    'export-dynamics',
    'export-subset',
    'token',
    'demo',
  ];
  for (const verb of ['', ...verbs]) {
    const terminal = createTerminal();
    assert.equal(await ftft([...verb.split(' ').filter(Boolean), '--help'], terminal.io), 0);
    assert.match(terminal.out(), /Examples?:\n {2}\$ (\S+=\S+ )?ftft/, verb);
    assert.match(terminal.out(), /Exit codes:[\s\S]*130/, verb);
  }
});

test('a training option that is no number exits 2 and says what it must be', async () => {
  const {exitCode, err} = await run(fake.address, ['train-reference', 'demo', '--epochs', 'many']);
  assert.equal(exitCode, 2);
  assert.match(err, /whole number/);
});

test('a value that the contract takes for none, or cannot hold, exits 2 before anything is asked of the server', async () => {
  const wrong: [string, string, string, RegExp][] = [
    ['build-data-map', '--fraction', '0', /more than 0 and at most 1/],
    ['build-data-map', '--fraction', '1.1', /more than 0 and at most 1/],
    ['fine-tune-main', '--step-fraction', '0', /more than 0 and at most 1/],
    ['train-reference', '--learning-rate', '0', /more than 0 and at most 1/],
    ['train-reference', '--epochs', '0', /whole number of at least 1/],
    ['train-reference', '--epochs', '4294967298', /whole number from 1 to 2147483647/],
  ];
  for (const [verb, option, value, message] of wrong) {
    const {exitCode, err} = await run(fake.address, [verb, 'ref', option, value]);
    assert.deepEqual([exitCode, message.test(err)], [2, true], `${verb} ${option} ${value}: ${err}`);
  }
  assert.equal(fake.requests.length, 0);
});

test('train-reference sends what was said and leaves the rest to the server', async () => {
  const {exitCode, out} = await run(fake.address, [
    'train-reference',
    'demo',
    '--layers',
    '3',
    '--seed',
    '7',
    '--label',
    'a=b',
    '--run-id',
    'ref',
  ]);
  assert.equal(exitCode, 0);
  assert.equal(out, 'runs/ref pending\n');
  const {spec, labels} = lastRequest<TrainReferenceRequest>();
  assert.deepEqual(
    [spec!.dataset, spec!.layers, spec!.seed, spec!.epochs, spec!.model],
    ['datasets/demo', 3, 7, 0, 'minilm-l6'],
  );
  assert.deepEqual(labels, {a: 'b'});
});

test('--wait --json prints the ended run as its only line, durations as protobuf writes them', async () => {
  const {exitCode, out, err} = await run(fake.address, [
    'train-reference',
    'demo',
    '--evaluate',
    'test_movie,ood_nyt',
    '--wait',
    '--json',
  ]);
  assert.equal(exitCode, 0);
  const ended = JSON.parse(out);
  assert.equal(ended.state, 'STATE_SUCCEEDED');
  assert.equal(ended.cost.acceleratorTime, '90.5s');
  assert.equal(ended.evaluations.length, 2);
  assert.match(err, /128\/128 steps · loss 0\.300/);
});

test('--wait without a terminal prints lines, the last of them with the state and every evaluation', async () => {
  const {out} = await run(fake.address, ['train-reference', 'demo', '--evaluate', 'test_movie', '--wait']);
  assert.match(out, /succeeded in 1:3[01]/);
  assert.match(out, /eval {4}ID {2}test_movie .*86\.0 %/);
  assert.ok(!out.includes('\u001b'));
});

test('--wait in a terminal draws a bar', async () => {
  const {out} = await run(fake.address, ['train-reference', 'demo', '--wait'], {isTTY: true});
  assert.match(out, /■+.*128\/128 steps · loss 0\.300/);
});

test('a run that fails exits 1 with its error and reason', async () => {
  fake.ending = Run_State.STATE_FAILED;
  const {exitCode, err} = await run(fake.address, ['train-reference', 'demo', '--wait', '--run-id', 'bad']);
  assert.equal(exitCode, 1);
  assert.match(err, /error: runs\/bad failed: The loss was NaN at step 17 \(LOSS_NOT_FINITE\)/);
});

test('an invalid request exits 2, an unknown run 3, a run that cannot be cancelled 3, no server 4', async () => {
  assert.equal((await run(fake.address, ['train-reference', 'demo', '--epochs', '1'])).exitCode, 2);
  const unknown = await run(fake.address, ['runs', 'get', 'nope']);
  assert.equal(unknown.exitCode, 3);
  assert.match(unknown.err, /there is none\n {2}\(NOT_FOUND, RUN_NOT_FOUND\)/);
  addRun(fake, 'over', Run_Kind.KIND_REFERENCE, {}, {state: Run_State.STATE_SUCCEEDED});
  assert.equal((await run(fake.address, ['runs', 'cancel', 'over'])).exitCode, 3);
  const away = await run('127.0.0.1:1', ['runs']);
  assert.equal(away.exitCode, 4);
  assert.match(away.err, /Cannot reach a server at 127\.0\.0\.1:1; start one with: ftft serve/);
  assert.doesNotMatch(away.err, /at .*\.ts:/);
});

test('an interrupted wait exits 130 and says that the run goes on', async () => {
  fake.isEndless = true;
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 300);
  const {exitCode, err} = await run(fake.address, ['train-reference', 'demo', '--wait', '--run-id', 'long'], {
    signal: controller.signal,
  });
  fake.isEndless = false;
  assert.equal(exitCode, 130);
  assert.match(err, /runs\/long goes on; stop it with: ftft runs cancel runs\/long/);
});

test('fine-tune-main takes dataset and split from its map', async () => {
  addRun(fake, 'ref', Run_Kind.KIND_REFERENCE, {dataset: 'datasets/demo'});
  const map = await run(fake.address, ['build-data-map', 'ref', '--json']);
  const {name} = JSON.parse(map.out);
  assert.equal((await run(fake.address, ['fine-tune-main', name, '--step-fraction', '0.5'])).exitCode, 0);
  const request = lastRequest<FineTuneMainRequest>();
  assert.deepEqual(
    [request.dataMap, request.spec!.dataset, request.spec!.trainSplit],
    [name, 'datasets/demo', 'train'],
  );
  assert.deepEqual(request.stepBudget, {$case: 'stepFraction', value: 0.5});
  assert.equal(
    (await run(fake.address, ['fine-tune-main', name, '--step-fraction', '0.5', '--max-steps', '3'])).exitCode,
    2,
  );
});

test('build-data-map says what the map says, and writes picture and lines', async () => {
  addRun(fake, 'ref', Run_Kind.KIND_REFERENCE, {dataset: 'datasets/demo'});
  const [svg, jsonl] = [join(folder, 'm.svg'), join(folder, 'm.jsonl')];
  const {out} = await run(fake.address, ['build-data-map', 'ref', '--svg', svg, '--jsonl', jsonl]);
  assert.match(out, /easy {6}50\.0 %/);
  assert.match(out, /overlap {3}42\.0 %/);
  assert.match(out, /verdict {3}the reference is likely to help a main model: overlap 0\.42 against 0\.33 by chance/);
  assert.match(await readFile(svg, 'utf8'), /^<\?xml/);
  assert.equal((await readFile(jsonl, 'utf8')).trim().split('\n').length, 10);
});

test('build-data-map asks for regions and metrics by their words', async () => {
  addRun(fake, 'ref', Run_Kind.KIND_REFERENCE, {});
  await run(fake.address, [
    'build-data-map',
    'ref',
    '--region',
    'hard-to-learn',
    '--fraction',
    '0.1',
    '--epochs',
    '1-3',
  ]);
  const request = lastRequest<BuildDataMapRequest>();
  assert.deepEqual(request.selection!.criterion, {$case: 'region', value: Region.REGION_HARD_TO_LEARN});
  assert.deepEqual([request.selection!.fraction, request.epochs], [0.1, {first: 1, last: 3}]);
  await run(fake.address, ['build-data-map', 'ref', '--metric', 'forgetting', '--lowest-first']);
  assert.deepEqual(lastRequest<BuildDataMapRequest>().selection!.criterion, {
    $case: 'metric',
    value: {metric: 5, order: 2},
  });
  assert.equal((await run(fake.address, ['build-data-map', 'ref', '--region', 'nowhere'])).exitCode, 2);
});

test('build-data-map asks for every other selection and for scores, too', async () => {
  addRun(fake, 'ref', Run_Kind.KIND_REFERENCE, {});
  const asked = async (...words: string[]) => {
    const {exitCode, err} = await run(fake.address, ['build-data-map', 'ref', ...words]);
    assert.equal(exitCode, 0, err);
    return lastRequest<BuildDataMapRequest>();
  };
  const {selection} = await asked('--any-of', 'ambiguous,hard-to-learn', '--none-of', 'error-set', '--count', '9');
  assert.deepEqual(selection?.criterion, {$case: 'regions', value: {anyOf: [1, 2], noneOf: [6]}});
  assert.deepEqual([selection?.count, selection?.fraction], [9, 0]);
  const strata = await asked('--stratified', 'loss', '--drop-hardest', '0.1', '--class-balance', 'equal');
  assert.deepEqual(strata.selection?.criterion, {
    $case: 'stratified',
    value: {metric: 9, hardestShareDropped: 0.1, strata: 0},
  });
  assert.equal(strata.selection?.classBalance, 3);
  const clusters = await asked('--clusters', '7', '--burn-out', '2', '--metrics', 'el2n,tdds', '--score-window', '4');
  assert.deepEqual(clusters.selection?.criterion, {$case: 'clustered', value: {clusters: 7, iterations: 0}});
  assert.deepEqual([clusters.burnOut, clusters.metrics, clusters.scoreWindow], [2, [6, 22], 4]);
  const ends = await asked('--metric', 'confidence', '--both-ends', '--rule', 'cartography-head');
  assert.deepEqual(ends.selection?.criterion, {$case: 'metric', value: {metric: 2, order: 3}});
  assert.equal(ends.selection?.rule, 3);

  for (const [words, message] of [
    [['--count', '3', '--fraction', '0.1'], /--fraction or --count, not both/],
    [['--region', 'random', '--clusters', '3'], /Give one of --region/],
    [['--metric', 'loss', '--both-ends', '--lowest-first'], /--lowest-first or --both-ends, not both/],
    [['--metrics', 'el2n,nothing'], /must be one of variability/],
  ] as const) {
    const {exitCode, err} = await run(fake.address, ['build-data-map', 'ref', ...words]);
    assert.equal(exitCode, 2);
    assert.match(err, message);
  }
});

test('compare-data-maps names both maps and says what they have in common', async () => {
  const {out} = await run(fake.address, ['compare-data-maps', 'small', 'dataMaps/large']);
  assert.deepEqual(lastRequest(), {dataMap: 'dataMaps/small', otherDataMap: 'dataMaps/large'});
  assert.match(out, /Spearman 0\.500 of confidence/);
  const {out: json} = await run(fake.address, ['compare-data-maps', 'small', 'large', '--json']);
  assert.equal(JSON.parse(json).instanceCount, 10);
});

test('runs alone lists all pages as a table, --json as one document', async () => {
  for (const id of ['a', 'b', 'c', 'd', 'e'])
    addRun(fake, id, Run_Kind.KIND_REFERENCE, {model: 'minilm-l6', layers: 3});
  const {out} = await run(fake.address, ['runs']);
  assert.equal(out.match(/runs\/[a-e] .*reference.*minilm-l6@3.*pending/g)?.length, 5);
  const {runs} = JSON.parse((await run(fake.address, ['runs', 'list', '--limit', '3', '--json'])).out);
  assert.equal(runs.length, 3);
});
