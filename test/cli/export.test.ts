// ftft export, the child process and all: what it takes for a model, what it leaves, how it refuses.
import assert from 'node:assert/strict';
import {existsSync} from 'node:fs';
import {mkdir, mkdtemp, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {pathToFileURL} from 'node:url';
import {Run_Kind, Run_State} from '../../src/server/gen/ftft/v1/run.js';
import {writeTrainedModel} from '../support/trained-model.js';
import {addRun, type FakeService, startFakeService} from './support/fake-service.js';
import {run} from './support/terminal.js';

let fake: FakeService;
let folder: string;
let model: string;
before(async () => {
  fake = await startFakeService();
  folder = await mkdtemp(join(tmpdir(), 'ftft-export-'));
  model = join(folder, 'model');
  await writeTrainedModel(model);
});
after(async () => {
  await fake.stop();
  await rm(folder, {recursive: true});
});

const succeeded = {state: Run_State.STATE_SUCCEEDED};
const exported = (...args: string[]) => run(fake.address, ['export', ...args]);
/** What lies beside the targets: nothing half done may. */
const targets = async () => (await readdir(folder)).filter(name => name !== 'model').sort();

test('a model folder, its URI and a run become SavedModels', async () => {
  const uri = pathToFileURL(model).href;
  addRun(fake, 'done', Run_Kind.KIND_MAIN, {}, {...succeeded, modelUri: uri});
  await mkdir(join(folder, 'empty'));
  for (const [from, to] of [
    [model, 'new/1'],
    [uri, 'empty'],
    ['done', 'of-run'],
  ]) {
    const {exitCode, out, err} = await exported(from, join(folder, to));
    assert.deepEqual([exitCode, err], [0, '']);
    assert.equal(out, `${join(folder, to)}: SavedModel with signature serving_default\n`);
    for (const file of ['saved_model.pb', 'variables/variables.index', 'assets.extra/vocab.txt'])
      assert.ok(existsSync(join(folder, to, file)), `${to}/${file}`);
  }
  assert.deepEqual(await targets(), ['empty', 'new', 'of-run']);
});

test('--json prints one document', async () => {
  const {out} = await exported(model, join(folder, 'json'), '--json');
  assert.deepEqual(JSON.parse(out), {savedModel: join(folder, 'json'), signature: 'serving_default'});
});

test('what cannot be exported is refused in one line, and leaves nothing', async () => {
  addRun(fake, 'waits', Run_Kind.KIND_MAIN, {});
  addRun(fake, 'away', Run_Kind.KIND_MAIN, {}, {...succeeded, modelUri: 'file:///nowhere/model'});
  addRun(fake, 'bucket', Run_Kind.KIND_MAIN, {}, {...succeeded, modelUri: 's3://bucket/model'});
  const full = join(folder, 'full');
  await mkdir(full);
  await writeFile(join(full, 'precious.txt'), 'keep me');
  const broken = join(folder, 'broken');
  await mkdir(broken);
  await writeFile(join(broken, 'config.json'), '{"model_type": "t5"}');
  const before = await targets();
  const cases: [from: string, to: string, message: RegExp][] = [
    ['nope', 'x', /Cannot get runs\/nope: there is none/],
    ['waits', 'x', /Cannot export runs\/waits: it must have succeeded, it is pending$/],
    ['away', 'x', /must be readable here, it lies at file:\/\/\/nowhere\/model where the server runs/],
    ['bucket', 'x', /it lies at s3:\/\/bucket\/model/],
    [join(folder, 'modle'), 'x', /it must be a run or a folder that holds config\.json, there is no such file$/],
    [model, 'full', /it must be a new or an empty folder, it holds precious\.txt; name another/],
    [model, 'full/precious.txt', /it must be a new or an empty folder, it is a file; name another/],
    [broken, 'x', /model family "?t5"? is not supported/],
  ];
  for (const [from, to, message] of cases) {
    const {exitCode, out, err} = await exported(from, join(folder, to));
    assert.equal(out, '');
    assert.match(err.trim().split('\n')[0], message);
    assert.equal(exitCode, from === broken ? 2 : 3, err);
    assert.doesNotMatch(err, /at .*\.ts:/);
  }
  assert.deepEqual(await targets(), before);
  assert.deepEqual(await readdir(full), ['precious.txt']);
});

test('an interrupted export exits 130 and leaves nothing', async () => {
  const before = await targets();
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 300);
  const {exitCode} = await run(fake.address, ['export', model, join(folder, 'never')], {signal: controller.signal});
  assert.equal(exitCode, 130);
  assert.deepEqual(await targets(), before);
});
