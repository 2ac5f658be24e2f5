// The demo against a service in memory: the calls in order, the table, the files, and its ends other than the good one.
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, beforeEach, test} from 'node:test';
import {pathToFileURL} from 'node:url';
import {runDemo} from '../../src/cli/demo.js';
import type {DemoOptions} from '../../src/cli/demo-command.js';
import type {
  BuildDataMapRequest,
  FineTuneMainRequest,
  TrainReferenceRequest,
} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {Run_State} from '../../src/server/gen/ftft/v1/run.js';
import {type FakeService, startFakeService} from './support/fake-service.js';
import {createTerminal} from './support/terminal.js';

let folder: string;
let fake: FakeService;
let options: DemoOptions;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ftft-demo-test-'));
  await mkdir(join(folder, 'model'));
  await writeFile(join(folder, 'model', 'config.json'), '{}');
  for (const split of ['train', 'test_movie', 'ood_amazon', 'ood_tweets', 'ood_nyt'])
    await writeFile(join(folder, `${split}.jsonl`), '{"uid": "a", "text": "b", "label": "positive"}\n'.repeat(60));
});
beforeEach(async () => {
  fake = await startFakeService();
  fake.modelUri = pathToFileURL(join(folder, 'model')).href;
  options = {
    seed: 5,
    learningRate: 2e-4,
    numTrain: 50,
    numTest: 30,
    epochs: 4,
    referenceModel: 'minilm-l6',
    referenceLayers: 3,
    mainModel: 'minilm-l6',
    outDir: join(folder, 'out'),
    demoDataDir: folder,
  };
});
after(() => rm(folder, {recursive: true}));

/** The fake in place of a server process; it notes how it was started and stopped. */
function starting() {
  const seen = {env: {} as NodeJS.ProcessEnv, isStopped: false, die: () => {}};
  const ended = new Promise<void>(resolve => {
    seen.die = resolve;
  });
  const stop = async () => {
    seen.isStopped = true;
    await fake.stop();
  };
  const start = async (env: NodeJS.ProcessEnv) => {
    seen.env = env;
    return {address: fake.address, log: () => ['out of memory'], ended, stop, kill: () => {}};
  };
  return {start, seen};
}

test('the demo makes the calls of FTFT, ERM and a random third, in order, with one seed', async () => {
  const {start, seen} = starting();
  await runDemo(options, createTerminal().io, start);
  assert.equal(seen.env.FTFT_GRPC_PORT, '0');
  assert.ok(seen.isStopped);
  const [train, movie] = fake.imports;
  assert.deepEqual([train.header.split, train.bytes.toString().trim().split('\n').length], ['train', 50]);
  assert.deepEqual([movie.header.split, movie.header.outOfDistribution], ['test_movie', false]);
  assert.deepEqual(
    fake.imports.map(({header}) => header.outOfDistribution),
    [false, false, true, true, true],
  );
  const methods = fake.requests.map(({method}) => method);
  assert.deepEqual(methods, [
    'trainReference',
    'streamDynamics',
    'buildDataMap',
    'fineTuneMain',
    'trainReference',
    'buildDataMap',
    'fineTuneMain',
  ]);
  const [reference, , ambiguous, main, erm, random] = fake.requests.map(({request}) => request);
  const specs = [reference, main, erm].map(request => (request as TrainReferenceRequest).spec!);
  assert.deepEqual(
    specs.map(spec => [spec.layers, spec.seed, spec.epochs, spec.batchSize, spec.learningRate]),
    [
      [3, 5, 4, 32, 2e-4],
      [0, 5, 4, 32, 2e-4],
      [0, 5, 4, 32, 2e-4],
    ],
  );
  assert.deepEqual((main as FineTuneMainRequest).stepBudget, {$case: 'stepFraction', value: 1 / 3});
  const selections = [ambiguous, random].map(request => (request as BuildDataMapRequest).selection!);
  assert.deepEqual(
    selections.map(({criterion, fraction, seed}) => [criterion?.value, fraction, seed]),
    [
      [1, 0.33, 5],
      [5, 0.33, 5],
    ],
  );
});

test('the table counts reference and map as cost, and fits 100 columns', async () => {
  const terminal = createTerminal();
  await runDemo(options, terminal.io, starting().start);
  const out = terminal.out();
  assert.match(out, /ERM, all data +│ +128 │ +90\.5 │ 100 % │ +86\.0 %/);
  assert.match(out, /FTFT +│ +128 │ +7[56]\.\d │ +84 %/);
  assert.match(out, /random third +│ +42 │ +30\.5 │ +34 %/);
  assert.match(out, /82\.7–88\.8/);
  assert.match(out, /movie +ID +−1\.3 points, 95 % interval −5\.7 to \+3\.1: zero lies inside it/);
  assert.match(out, /easy {6}50\.0 %[\s\S]*overlap[\s\S]*verdict/);
  for (const line of out.replaceAll(options.outDir, 'out').split('\n'))
    assert.ok(line.length <= 100, `${line.length}: ${line}`);
  assert.ok(!out.includes('\u001b'), 'no colours in a pipe');
});

test('accuracies of fewer than 500 instances are not shown', async () => {
  fake.testInstances = 499;
  const terminal = createTerminal();
  await runDemo(options, terminal.io, starting().start);
  assert.match(terminal.out(), /too few:/);
  assert.match(terminal.out(), /movie +ID +fewer than 500 test instances: no number is shown/);
  assert.doesNotMatch(terminal.out(), /86\.0 %/);
});

test('map, coordinates and model lie in the out folder, and a second demo writes them again', async () => {
  await mkdir(join(options.outDir, 'model'), {recursive: true});
  await writeFile(join(options.outDir, 'model', 'stale'), '');
  await runDemo(options, createTerminal().io, starting().start);
  assert.deepEqual((await readdir(options.outDir)).sort(), ['data-map.jsonl', 'data-map.svg', 'model']);
  assert.deepEqual(await readdir(join(options.outDir, 'model')), ['config.json']);
  assert.equal((await readFile(join(options.outDir, 'data-map.jsonl'), 'utf8')).trim().split('\n').length, 10);
});

test('a run that fails ends the demo with its error; server and state are gone', async () => {
  fake.ending = Run_State.STATE_FAILED;
  const {start, seen} = starting();
  await assert.rejects(
    runDemo(options, createTerminal().io, start),
    /runs\/reference failed: The loss was NaN at step 17/,
  );
  assert.ok(seen.isStopped);
  await assert.rejects(readdir(seen.env.FTFT_DATA_DIR!), {code: 'ENOENT'});
});

test('an interruption cancels the run and stops the server', async () => {
  fake.isEndless = true;
  const controller = new AbortController();
  const {start, seen} = starting();
  setTimeout(() => controller.abort(new Error('Stopped')), 500);
  const terminal = createTerminal({signal: controller.signal});
  await assert.rejects(runDemo(options, terminal.io, start));
  assert.deepEqual(fake.requests.at(-1), {method: 'cancelRun', request: {name: 'runs/reference'}});
  assert.equal(fake.runs.get('runs/reference')!.state, Run_State.STATE_CANCELLED);
  assert.ok(seen.isStopped);
  assert.match(terminal.err(), /Stopping/);
});

test('a server that dies in the middle is one error with its last lines', async () => {
  fake.isEndless = true;
  const {start, seen} = starting();
  setTimeout(() => seen.die(), 300);
  await assert.rejects(
    runDemo(options, createTerminal().io, start),
    /The server ended in the middle of the demo[\s\S]*out of memory/,
  );
});

test('missing data is one error that names the command that fetches it', async () => {
  const demo = runDemo({...options, demoDataDir: join(folder, 'nowhere')}, createTerminal().io, starting().start);
  await assert.rejects(demo, /data is not there.*node scripts\/setup\.mjs/);
});
