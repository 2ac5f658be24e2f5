import assert from 'node:assert/strict';
import {chmodSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {mkdir} from 'node:fs/promises';
import {hostname} from 'node:os';
import {join} from 'node:path';
import {test} from 'node:test';
import {parquetWriteBuffer} from 'hyparquet-writer';
import type {FtftError} from '../../src/errors.js';
import {createRuns} from '../../src/runs/create-runs.js';
import {readSplitFile} from '../../src/runs/split-file.js';
import {bytes, header, lines, type openRuns, runsOptions, temporaryFolder} from './support/open-runs.js';

const reasonOf = (error: unknown) => (error as FtftError).details.reason;
/** Split files, and whatever is half-written. */
const files = (dataDir: string) =>
  readdirSync(join(dataDir, 'splits'), {recursive: true, withFileTypes: true})
    .filter(entry => entry.isFile())
    .map(({name}) => name);

async function open(t: Parameters<typeof openRuns>[0]) {
  const options = await runsOptions(await temporaryFolder(t));
  const runs = await createRuns(options);
  t.after(() => runs.close({graceMs: 0}));
  return {runs, dataDir: options.dataDir};
}

test('an import makes the dataset, and later ones add splits and aliases', async t => {
  const {runs} = await open(t);
  const {dataset, split, warnings} = await runs.importDataset(header, bytes(lines(6)));
  assert.deepEqual(dataset.classNames, ['cat', 'dog']);
  assert.deepEqual([split.instanceCount, split.classCounts], [6, [4, 2]]);
  assert.deepEqual(dataset.splits, [split]);
  assert.deepEqual(warnings, []);
  const aliases = [
    {name: 'cat', aliases: ['feline']},
    {name: 'dog', aliases: []},
  ];
  const row = '{"uid": "x", "text": "the", "label": "feline"}\n{"uid": "y", "text": "the", "label": "d"}\n';
  const second = await runs.importDataset(
    {...header, split: 'ood_b', isOutOfDistribution: true, classLabels: aliases},
    bytes(row),
  );
  assert.deepEqual(second.dataset.classAliases, [['feline'], ['d']]);
  assert.deepEqual(
    second.dataset.splits.map(({name}) => name),
    ['train', 'ood_b'],
  );
  assert.equal(second.dataset.uid, dataset.uid);
  await runs.importDataset({...header, split: 'dev', classLabels: []}, bytes(row));
  assert.deepEqual(
    (await runs.getDataset('pets')).splits.map(({name}) => name),
    ['train', 'ood_b', 'dev'],
  );
});

test('a split comes back from its file as it was read, whatever its texts hold', async t => {
  const {runs, dataDir} = await open(t);
  const texts = ['a\u2028b', 'tab\tand "quotes"', 'line\nbreak\r', '丽 \u{2f800}', ''];
  const rows = texts.map((text, i) => `${JSON.stringify({uid: `u${i}`, text, label: 'cat'})}\n`).join('');
  await runs.importDataset(header, bytes(rows));
  const [file] = files(dataDir);
  const source = {file: join(dataDir, 'splits', file), sha256: file.replace('.jsonl', '')};
  const read = [];
  for await (const example of readSplitFile(source)) read.push(example);
  assert.deepEqual(
    read,
    texts.map((text, i) => ({uid: `u${i}`, text, textPair: undefined, label: 0})),
  );
  chmodSync(source.file, 0o644);
  writeFileSync(source.file, readFileSync(source.file, 'utf8').replace('tab', 'tap'));
  const again = async () => {
    for await (const _ of readSplitFile(source));
  };
  await assert.rejects(again, {code: 'FAILED_PRECONDITION', details: {reason: 'DATASET_CORRUPT'}});
});

test('the same bytes again give the split that is there, other bytes are SPLIT_EXISTS', async t => {
  const {runs, dataDir} = await open(t);
  const first = await runs.importDataset(header, bytes(lines(6)));
  const again = await runs.importDataset({...header, classLabels: []}, bytes(lines(6)));
  assert.deepEqual(again.split, first.split);
  assert.deepEqual(again.dataset, first.dataset);
  await assert.rejects(runs.importDataset(header, bytes(lines(7))), {
    code: 'ALREADY_EXISTS',
    details: {reason: 'SPLIT_EXISTS', resource: {type: 'Dataset', name: 'datasets/pets'}},
  });
  assert.deepEqual(files(dataDir).length, 1);
});

test('of two imports of one split at once one is kept, and equal ones agree', async t => {
  const {runs, dataDir} = await open(t);
  const [one, two] = await Promise.allSettled(
    [lines(6), lines(7)].map(text => runs.importDataset(header, bytes(text))),
  );
  assert.deepEqual([one.status, two.status].sort(), ['fulfilled', 'rejected']);
  const lost = one.status === 'rejected' ? one : (two as PromiseRejectedResult);
  assert.equal(reasonOf(lost.reason), 'SPLIT_EXISTS');
  assert.ok(files(dataDir).length <= 2, 'what the other left no split names: a sweep removes it');
  const equal = await Promise.all([1, 2, 3].map(() => runs.importDataset({...header, split: 'dev'}, bytes(lines(9)))));
  assert.equal(new Set(equal.map(({split}) => JSON.stringify(split))).size, 1);
  const splits = await Promise.all(
    ['a', 'b', 'c'].map(split => runs.importDataset({...header, split}, bytes(lines(9)))),
  );
  assert.equal(splits.length, 3);
  assert.equal((await runs.getDataset('pets')).splits.length, 5);
});

test('an import that fails or only validates leaves nothing', async t => {
  const {runs, dataDir} = await open(t);
  const wrong = '{"uid": "a", "text": "the", "label": "cat"}\n{"uid": "b", "text": "the", "label": "cow"}\n';
  await assert.rejects(runs.importDataset(header, bytes(wrong)), (error: FtftError) => {
    assert.deepEqual([error.code, error.details.reason], ['INVALID_ARGUMENT', 'ROWS_INVALID']);
    assert.match(error.details.violations![0].field, /line 2/);
    return true;
  });
  async function* broken() {
    yield Buffer.from(lines(3));
    throw new Error('the connection is gone');
  }
  await assert.rejects(runs.importDataset(header, broken()), /connection is gone/);
  await assert
    .rejects(runs.importDataset(header, bytes('')), {details: {reason: 'ROWS_INVALID'}} as never)
    .catch(() => undefined);
  const {dataset, split} = await runs.importDataset({...header, validateOnly: true}, bytes(lines(3)));
  assert.equal(dataset.splits[0].name, split.name);
  await assert.rejects(runs.getDataset('pets'), {
    code: 'NOT_FOUND',
    details: {reason: 'DATASET_NOT_FOUND', resource: {type: 'Dataset', name: 'datasets/pets'}},
  });
  assert.deepEqual(files(dataDir), []);
  assert.deepEqual((await runs.listDatasets({pageSize: 0, pageToken: ''})).datasets, []);
});

test('everything that is wrong with a header is said at once, before a byte is read', async t => {
  const {runs} = await open(t);
  const fieldsOf = async (change: object): Promise<string[]> => {
    const unread: AsyncIterable<Uint8Array> = {[Symbol.asyncIterator]: () => assert.fail('bytes were read')};
    const error = await runs.importDataset({...header, ...change}, unread).catch(error => error);
    assert.equal(reasonOf(error), 'INVALID_FIELD');
    return error.details.violations.map(({field}: {field: string}) => field);
  };
  const columns = {text: '', label: 'label'};
  assert.deepEqual(await fieldsOf({dataset: 'Pets', split: 'a-b', columns, classLabels: []}), [
    'dataset',
    'split',
    'columns.text',
    'class_labels',
  ]);
  await runs.importDataset(header, bytes(lines(3)));
  const [cat, dog] = header.classLabels;
  assert.deepEqual(await fieldsOf({split: 'dev', classLabels: [dog, cat]}), ['class_labels']);
  assert.deepEqual(await fieldsOf({split: 'dev', classLabels: [cat, {name: 'dog', aliases: ['cat']}]}), [
    'class_labels',
  ]);
  assert.deepEqual(await fieldsOf({split: 'dev', columns: {...header.columns, textPair: 'b'}}), ['columns.text_pair']);
});

test('Parquet and filters: where the values were found is kept, and no file is left but the split', async t => {
  const {runs, dataDir} = await open(t);
  const uids = ['a', 'b', 'c'];
  const columnData = [
    {name: 'uid', data: uids},
    {name: 'text', data: ['x', 'y', 'z']},
    {name: 'label', data: ['cat', 'cow', 'd']},
  ];
  const filters = [{column: 'label', values: ['cow'], isExcluding: true}];
  async function* parquet() {
    yield new Uint8Array(parquetWriteBuffer({columnData}));
    yield {fileName: 'second.parquet'};
    yield new Uint8Array(
      parquetWriteBuffer({columnData: [{name: 'uid', data: ['d', 'e', 'f']}, ...columnData.slice(1)]}),
    );
  }
  const {split} = await runs.importDataset({...header, format: 'parquet', filters}, parquet());
  assert.deepEqual([split.instanceCount, split.classCounts, split.columns], [4, [2, 2], header.columns]);
  assert.deepEqual((await runs.getDataset('pets')).splits, [split]);
  assert.equal(files(dataDir).length, 1);
});

test('texts that another split holds are a warning', async t => {
  const {runs} = await open(t);
  await runs.importDataset(
    header,
    bytes('{"uid": "a", "text": "one", "label": "cat"}\n{"uid": "b", "text": "two", "label": "dog"}\n'),
  );
  const {warnings} = await runs.importDataset(
    {...header, split: 'dev'},
    bytes('{"uid": "a", "text": "two", "label": "dog"}\n'),
  );
  assert.deepEqual(warnings, ['1 texts of split train are in this split too']);
});

test('datasets are listed from the newest to the oldest, page by page', async t => {
  const {runs} = await open(t);
  for (const dataset of ['a', 'b', 'c']) await runs.importDataset({...header, dataset}, bytes(lines(3)));
  const first = await runs.listDatasets({pageSize: 2, pageToken: ''});
  assert.deepEqual(
    first.datasets.map(({id}) => id),
    ['c', 'b'],
  );
  const second = await runs.listDatasets({pageSize: 2, pageToken: first.nextPageToken});
  assert.deepEqual([second.datasets.map(({id}) => id), second.nextPageToken], [['a'], '']);
  for (const page of [
    {pageSize: 2, pageToken: 'x'},
    {pageSize: -1, pageToken: ''},
  ])
    await assert.rejects(runs.listDatasets(page), {code: 'INVALID_ARGUMENT'});
});

test('what a dead server was writing is removed at start-up, what a living one writes is not', async t => {
  const options = await runsOptions(await temporaryFolder(t));
  const splits = join(options.dataDir, 'splits');
  const [dead, other] = [`.incoming-${hostname()}~4194305~aaaa`, '.incoming-elsewhere~4194305~bbbb'];
  for (const name of [dead, other]) await mkdir(join(splits, name), {recursive: true});
  const runs = await createRuns(options);
  t.after(() => runs.close({graceMs: 0}));
  assert.deepEqual(readdirSync(splits), [other]);
});
