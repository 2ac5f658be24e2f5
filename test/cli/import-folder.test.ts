// ftft import-folder against a service in memory: splits, columns and classes that a folder in the hub's layout gives.
import assert from 'node:assert/strict';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, beforeEach, test} from 'node:test';
import {parquetWriteBuffer} from 'hyparquet-writer';
import {FileFormat} from '../../src/server/gen/ftft/v1/dataset.js';
import {startFakeDatasetHub} from './support/fake-dataset-hub.js';
import {type FakeService, startFakeService} from './support/fake-service.js';
import {importedSplits} from './support/imported-splits.js';
import {run} from './support/terminal.js';

let fake: FakeService;
let folder: string;
const readme = `---
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': neg
          '1': pos
---
`;
const parquet = (texts: string[]) =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        {name: 'text', data: texts},
        {name: 'label', data: texts.map((_, i) => BigInt(i % 2)), type: 'INT64'},
      ],
    }),
  );
const files = {
  'README.md': readme,
  'data/train-00000-of-00001.parquet': parquet(['a', 'b', 'c']),
  'data/test.Hard-00000-of-00001.parquet': parquet(['d']),
};

before(async () => {
  fake = await startFakeService();
  folder = mkdtempSync(join(tmpdir(), 'ftft-import-folder-'));
  mkdirSync(join(folder, 'data'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
});
beforeEach(() => {
  fake.imports.length = 0;
});
after(async () => {
  await fake.stop();
  rmSync(folder, {recursive: true});
});

const expected = [
  {
    dataset: 'datasets/reviews',
    split: 'test_hard',
    isOutOfDistribution: true,
    examples: [{uid: '0', text: 'd', label: 0}],
  },
  {
    dataset: 'datasets/reviews',
    split: 'train',
    isOutOfDistribution: false,
    examples: ['a', 'b', 'c'].map((text, i) => ({uid: String(i), text, label: i % 2})),
  },
];

test('every split is imported, under the names and classes of the folder', async () => {
  const {exitCode, out, err} = await run(fake.address, ['import-folder', 'reviews', folder, '--ood', 'test.Hard']);
  assert.equal(exitCode, 0, err);
  assert.match(
    out,
    /imported datasets\/reviews, split test_hard: .*out of distribution\nimported datasets\/reviews, split train/,
  );
  assert.deepEqual(await importedSplits(fake), expected);
  const [{header}] = fake.imports;
  assert.equal(header.format, FileFormat.FILE_FORMAT_PARQUET);
  assert.deepEqual(header.classLabels, [
    {name: 'neg', aliases: ['0']},
    {name: 'pos', aliases: ['1']},
  ]);
});

test('splits, columns, classes and rows may be chosen; --json is one document', async () => {
  const {out} = await run(fake.address, [
    ...['import-folder', 'reviews', folder, '--splits', 'train', '--classes', 'no=0,yes=1'],
    ...['--where', 'text!=b', '--id', 'text', '--validate-only', '--json'],
  ]);
  assert.deepEqual(
    JSON.parse(out).imports.map(({split}: {split: {name: string}}) => split.name),
    ['train'],
  );
  const [{header}] = fake.imports;
  assert.equal(header.validateOnly, true);
  assert.deepEqual(
    (await importedSplits(fake))[0].examples.map(({uid}) => uid),
    ['a', 'c'],
  );
});

test('a data set of the hub is fetched and imported the same way', async t => {
  const hub = await startFakeDatasetHub(t, 'owner/reviews', 'v1', files);
  const cache = mkdtempSync(join(tmpdir(), 'ftft-hub-'));
  t.after(() => rmSync(cache, {recursive: true}));
  process.env.HF_HUB_CACHE = cache;
  t.after(() => delete process.env.HF_HUB_CACHE);
  const env = {HF_ENDPOINT: hub.url};
  const args = ['import-folder', 'reviews', 'hub:owner/reviews@v1', '--ood', 'test.Hard'];
  const {exitCode, out, err} = await run(fake.address, args, {env});
  assert.equal(exitCode, 0, err);
  assert.match(out, /^fetching owner\/reviews README\.md \(0\.0 MB\)\n/);
  assert.deepEqual(await importedSplits(fake), expected);
});

test('what is no folder, no split or no name of the hub exits 2, and nothing is imported', async () => {
  const wrong: [string[], RegExp][] = [
    [[join(folder, 'none')], /it must be a folder/],
    [[folder, '--splits', 'dev'], /There is no split dev; there are test\.Hard, train/],
    [[folder, '--ood', 'dev'], /--ood must name splits of the folder, test\.Hard, train; it names dev/],
    [['hub:reviews'], /must be hub:OWNER\/NAME/],
    [[folder, '--config', 'x'], /--config must be one of none/],
  ];
  for (const [args, message] of wrong) {
    const {exitCode, err} = await run(fake.address, ['import-folder', 'reviews', ...args]);
    assert.equal(exitCode, 2);
    assert.match(err, message);
  }
  assert.equal(fake.imports.length, 0);
});
