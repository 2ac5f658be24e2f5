import assert from 'node:assert/strict';
import {mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {readDatasetFolder} from '../../src/cli/dataset-folder.js';

/** A folder with these files, empty where nothing is said. */
function folderOf(t: TestContext, files: string[], readme?: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'ftft-folder-'));
  t.after(() => rmSync(folder, {recursive: true}));
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), {recursive: true});
    writeFileSync(join(folder, file), '');
  }
  if (readme !== undefined) writeFileSync(join(folder, 'README.md'), readme);
  return folder;
}

async function splitsOf(t: TestContext, files: string[], readme?: string, config?: string) {
  const {splits} = await readDatasetFolder(folderOf(t, files, readme), config);
  return Object.fromEntries(splits.map(({name, files: found}) => [name, found]));
}

const card = (yaml: string) => `---\n${yaml}\n---\n# A data set\n`;

test('shards are in their order, and say which split they are of', async t => {
  const files = ['train-00001-of-00002', 'train-00000-of-00002', 'validation_matched-00000-of-00001'];
  const paths = [...files.map(name => `data/${name}.parquet`), 'README.txt', '.git/train-00000-of-00001.parquet'];
  assert.deepEqual(await splitsOf(t, paths), {
    train: ['data/train-00000-of-00002.parquet', 'data/train-00001-of-00002.parquet'],
    validation_matched: ['data/validation_matched-00000-of-00001.parquet'],
  });
});

test('without shards a word of the path says the split, and a file that says none is for training', async t => {
  assert.deepEqual(
    await splitsOf(t, ['reviews_train.csv', 'reviews-dev.csv', 'test/a.csv', 'test/b.csv', 'notes.csv']),
    {
      validation: ['reviews-dev.csv'],
      train: ['reviews_train.csv'],
      test: ['test/a.csv', 'test/b.csv'],
    },
  );
  assert.deepEqual(await splitsOf(t, ['latest.jsonl.gz', 'contest.jsonl.zst']), {
    train: ['contest.jsonl.zst', 'latest.jsonl.gz'],
  });
});

test('README.md says which files are which split, by names and patterns', async t => {
  const files = ['data/train-a.csv', 'data/train-b.csv', 'data/x/held-out.csv', 'all.csv', 'data/unused.csv'];
  const configs = (dataFiles: string) => card(`configs:\n- config_name: default\n  data_files:${dataFiles}`);
  const listed =
    '\n  - split: train\n    path: data/train-*\n  - split: held.out\n    path:\n    - "**/held-?ut.csv"\n    - all.csv';
  assert.deepEqual(await splitsOf(t, files, configs(listed)), {
    train: ['data/train-a.csv', 'data/train-b.csv'],
    'held.out': ['all.csv', 'data/x/held-out.csv'],
  });
  assert.deepEqual(await splitsOf(t, files, configs(' data/*.csv')), {
    train: ['data/train-a.csv', 'data/train-b.csv', 'data/unused.csv'],
  });
  assert.deepEqual(await splitsOf(t, files, configs('\n  - "./all.csv"')), {train: ['all.csv']});
  await assert.rejects(
    splitsOf(t, files, configs('\n  - split: test\n    path: data/test-*')),
    /Cannot import split test: README\.md names data\/test-\*, there is no such file/,
  );
  await assert.rejects(splitsOf(t, files, configs(' https://example.org/a.csv')), /there is no such file/);
});

test('of several data sets in a folder one is chosen', async t => {
  const two = (more = '') =>
    card(`configs:\n- config_name: a\n  data_files: a.csv\n- config_name: b\n  data_files: b.csv${more}`);
  const files = ['a.csv', 'b.csv'];
  assert.deepEqual(await splitsOf(t, files, two(), 'b'), {train: ['b.csv']});
  assert.deepEqual(await splitsOf(t, files, two('\n  default: true')), {train: ['b.csv']});
  await assert.rejects(splitsOf(t, files, two()), /holds several data sets; say --config with one of a, b/);
  await assert.rejects(splitsOf(t, files, two(), 'c'), /--config must be one of a, b, it is c/);
  await assert.rejects(splitsOf(t, files, undefined, 'c'), /--config must be one of none, it is c/);
});

test('names of classes are read from README.md, in the order of their numbers', async t => {
  const features = (config: string) =>
    `${config}features:\n  - name: text\n    dtype: string\n  - name: label\n    dtype:\n      class_label:\n        names:\n          '10': ten\n          '0': neg\n          '1': pos`;
  const readme = card(`dataset_info:\n  ${features('')}`);
  const {classNames} = await readDatasetFolder(folderOf(t, ['train.csv'], readme));
  assert.deepEqual([...classNames], [['label', ['neg', 'pos', 'ten']]]);
  const several = card(
    `configs:\n- config_name: b\n  data_files: train.csv\ndataset_info:\n- config_name: a\n- config_name: b\n  ${features('')}`,
  );
  assert.deepEqual([...(await readDatasetFolder(folderOf(t, ['train.csv'], several))).classNames.keys()], ['label']);
});

test('a README.md without a head, with a broken one or a bomb of one is no harm', async t => {
  for (const readme of [
    '# Title\n---\nconfigs: 1\n---\n',
    '---\nno end',
    '',
    card('a: 1'),
    card('- 1'),
    card('configs: {a: 1}'),
  ])
    assert.deepEqual(await splitsOf(t, ['train.csv'], readme), {train: ['train.csv']});
  await assert.rejects(splitsOf(t, ['train.csv'], card('a: [1')), /README\.md: its head must be YAML/);
  const names = 'abcdefghij'.split('');
  const bomb = names.map(
    (name, i) =>
      `${name}: &${name} [${Array(9)
        .fill(i === 0 ? 'x' : `*${names[i - 1]}`)
        .join(', ')}]`,
  );
  await assert.rejects(splitsOf(t, ['train.csv'], card(bomb.join('\n'))), /its head must be YAML/);
  await assert.rejects(splitsOf(t, ['train.csv'], `---\n${'#'.repeat(5e6)}\n---\n`), /at most 4194304 bytes/);
});

test('links are followed, as in the cache of the hub, and a folder without data is refused', async t => {
  const folder = folderOf(t, ['blobs/0123', 'snapshots/c/README.txt']);
  symlinkSync('../../blobs/0123', join(folder, 'snapshots/c/test.jsonl'));
  symlinkSync('nowhere', join(folder, 'snapshots/c/train.jsonl'));
  const {splits} = await readDatasetFolder(join(folder, 'snapshots/c'));
  assert.deepEqual(splits, [{name: 'test', files: ['test.jsonl']}]);
  await assert.rejects(
    readDatasetFolder(folderOf(t, ['a.txt'])),
    /expected JSONL, CSV, TSV or Parquet files in it, found none/,
  );
  await assert.rejects(readDatasetFolder(join(folder, 'blobs/0123')), /it must be a folder/);
});
