// ftft import-dynamics against a service in memory: which files are sent as which epoch, and what is refused before anything is.
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, beforeEach, test} from 'node:test';
import {DynamicsFormat, type ImportDynamicsRequest} from '../../src/server/gen/ftft/v1/dynamics.js';
import {type FakeService, startFakeService} from './support/fake-service.js';
import {run} from './support/terminal.js';

let fake: FakeService;
let folder: string;
before(async () => {
  fake = await startFakeService();
  folder = await mkdtemp(join(tmpdir(), 'ftft-dynamics-'));
  await mkdir(join(folder, 'model', 'training_dynamics'), {recursive: true});
  for (let epoch = 0; epoch < 11; epoch++)
    await writeFile(join(folder, 'model', 'training_dynamics', `dynamics_epoch_${epoch}.jsonl`), `log ${epoch}\n`);
  await writeFile(join(folder, 'model', 'training_dynamics', 'notes.txt'), 'no log');
  await writeFile(join(folder, 'p_true.csv'), 'guid,epoch,p_true\n');
});
beforeEach(() => {
  fake.requests.length = 0;
});
after(async () => {
  await fake.stop();
  await rm(folder, {recursive: true});
});

function sent() {
  const parts = (fake.requests.at(-1)!.request as ImportDynamicsRequest[]).map(({part}) => part!);
  const header = parts[0].$case === 'header' ? parts[0].value : assert.fail('no header');
  const texts = new Map<number | 'table', string>();
  for (const part of parts.slice(1)) {
    if (part.$case === 'header') assert.fail('a second header');
    const [key, data] = part.$case === 'log' ? [part.value.epoch, part.value.data] : ['table' as const, part.value];
    texts.set(key, (texts.get(key) ?? '') + data);
  }
  return {header, texts: [...texts]};
}

test("a model folder's logs are sent epoch by epoch, in the order of their numbers", async () => {
  const args = ['--dataset', 'demo', '--model', 'roberta-large', '--classes', 'positive,negative', '--label', 'a=b'];
  const {exitCode, out, err} = await run(fake.address, ['import-dynamics', join(folder, 'model'), ...args]);
  assert.equal(exitCode, 0, err);
  assert.equal(out, 'imported runs/imported: 2 epochs of datasets/demo, split train\n');
  assert.equal(err, 'warning: epoch 2 was dropped\n');
  const {header, texts} = sent();
  assert.deepEqual(
    texts,
    Array.from({length: 11}, (_, epoch) => [epoch, `log ${epoch}\n`]),
  );
  assert.deepEqual(
    [header.dataset, header.model, header.classNames, header.labels, header.format],
    [
      'datasets/demo',
      'roberta-large',
      ['positive', 'negative'],
      {a: 'b'},
      DynamicsFormat.DYNAMICS_FORMAT_CARTOGRAPHY_JSONL,
    ],
  );
});

test('files named one by one need no order, and an empty one is sent as an epoch too', async () => {
  const log = (epoch: number) => join(folder, 'model', 'training_dynamics', `dynamics_epoch_${epoch}.jsonl`);
  const empty = join(folder, 'dynamics_epoch_11.jsonl');
  await writeFile(empty, '');
  assert.equal((await run(fake.address, ['import-dynamics', empty, log(2), log(0)])).exitCode, 0);
  assert.deepEqual(sent().texts, [
    [0, 'log 0\n'],
    [2, 'log 2\n'],
    [11, ''],
  ]);
  assert.equal(sent().header.dataset, '');
});

test('any other single file is a table', async () => {
  const args = ['--drop-partial-last-epoch', '--validate-only', '--run-id', 'x'];
  const {out} = await run(fake.address, ['import-dynamics', join(folder, 'p_true.csv'), ...args]);
  assert.match(out, /^would import/);
  const {header, texts} = sent();
  assert.deepEqual(texts, [['table', 'guid,epoch,p_true\n']]);
  assert.deepEqual(
    [header.format, header.dropPartialLastEpoch, header.validateOnly, header.runId],
    [DynamicsFormat.DYNAMICS_FORMAT_P_TRUE_CSV, true, true, 'x'],
  );
});

test('a folder without logs, logs beside a table and an epoch that is there twice exit 2, and nothing is sent', async () => {
  const table = join(folder, 'p_true.csv');
  const log = join(folder, 'model', 'training_dynamics', 'dynamics_epoch_0.jsonl');
  const wrong: [string[], RegExp][] = [
    [[folder], /expected dynamics_epoch_<e>\.jsonl in the folder/],
    [[log, table], /or one table of p_true, found dynamics_epoch_0\.jsonl, p_true\.csv/],
    [[table, table], /or one table of p_true, found p_true\.csv, p_true\.csv/],
    [[join(folder, 'model'), log], /expected one log of epoch 0, found more/],
    [[join(folder, 'none.csv')], /no such file/],
  ];
  await rm(join(folder, 'dynamics_epoch_11.jsonl'), {force: true});
  for (const [paths, message] of wrong) {
    const {exitCode, err} = await run(fake.address, ['import-dynamics', ...paths]);
    assert.equal(exitCode, 2, err);
    assert.match(err, message);
  }
  assert.equal(fake.requests.length, 0);
});
