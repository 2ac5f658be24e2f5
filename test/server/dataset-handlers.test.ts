import assert from 'node:assert/strict';
import {test} from 'node:test';
import {FtftError} from '../../src/errors.js';
import {FileFormat, type ImportDatasetHeader} from '../../src/server/gen/ftft/v1/dataset.js';
import {datasetRecord, time, uid} from './records.js';
import {detail, errorOf, reasonOf, startTestServer} from './start-test-server.js';

const header = {
  dataset: 'datasets/movies',
  split: 'ood_tweets',
  outOfDistribution: true,
  format: FileFormat.FILE_FORMAT_JSONL,
  columns: {text: 'text', label: 'label', id: 'uid'},
  classLabels: [{name: 'negative', aliases: ['0']}, {name: 'positive'}],
} satisfies Parameters<typeof ImportDatasetHeader.fromPartial>[0];

async function* importOf(...parts: ({header: object} | {data: Buffer} | {fileName: string})[]) {
  for (const part of parts)
    if ('header' in part) yield {part: {$case: 'header' as const, value: part.header}};
    else if ('data' in part) yield {part: {$case: 'data' as const, value: part.data}};
    else yield {part: {$case: 'fileStart' as const, value: part}};
}

test('an import hands the header and the bytes on, and answers with dataset, split and warnings', async t => {
  const {client, runs} = await startTestServer(t);
  const response = await client.importDataset(
    importOf(
      {header: {...header, filters: [{column: 'split', values: ['dev', 'test'], exclude: true}]}},
      ...[{data: Buffer.from('{"te')}, {data: Buffer.from('xt"}')}, {fileName: 'b.jsonl'}, {data: Buffer.from('{}')}],
    ),
  );
  assert.deepEqual(runs.calls, [
    {
      header: {
        dataset: 'movies',
        split: 'ood_tweets',
        isOutOfDistribution: true,
        format: 'jsonl',
        hasHeaderRow: true,
        columns: {text: 'text', textPair: undefined, label: 'label', id: 'uid'},
        filters: [{column: 'split', values: ['dev', 'test'], isExcluding: true}],
        classLabels: [
          {name: 'negative', aliases: ['0']},
          {name: 'positive', aliases: []},
        ],
        validateOnly: false,
      },
      text: '{"text"}<b.jsonl>{}',
    },
  ]);
  assert.equal(response.dataset?.name, 'datasets/movies');
  assert.deepEqual(response.split?.classCounts, [1, 3]);
  assert.deepEqual(response.warnings, ['line 3: the text is empty']);
});

test('an import without a header first is refused', async t => {
  const {client} = await startTestServer(t);
  for (const parts of [[{data: Buffer.from('x')}], []]) {
    const error = await errorOf(client.importDataset(importOf(...parts)));
    assert.equal(reasonOf(error), 'INVALID_FIELD');
    assert.equal(detail(error, 'google.rpc.BadRequest')?.fieldViolations[0].field, 'header');
  }
});

test('a second header and a data message above 1 MiB stop an import', async t => {
  const {client} = await startTestServer(t);
  assert.equal(reasonOf(await errorOf(client.importDataset(importOf({header}, {header})))), 'INVALID_FIELD');
  const large = await errorOf(client.importDataset(importOf({header}, {data: Buffer.alloc(1024 * 1024 + 1)})));
  assert.equal(reasonOf(large), 'MESSAGE_TOO_LARGE');
  assert.match(large.details, /at most 1048576 bytes, this one holds 1048577/);
});

test('every violation of a header is reported at once', async t => {
  const {client} = await startTestServer(t);
  const wrong = {
    dataset: 'movies',
    split: 'Train',
    columns: {},
    requestId: '12345678-1234-1234-8234-123456789012',
    classLabels: [{name: ''}],
    filters: [{column: '', values: []}, ...Array(16).fill({column: 'a', values: ['b']})],
  };
  const violations = detail(
    await errorOf(client.importDataset(importOf({header: wrong}))),
    'google.rpc.BadRequest',
  )?.fieldViolations.map(({field}) => field);
  assert.deepEqual(violations?.sort(), [
    'header.class_labels[0].name',
    'header.columns.label',
    'header.columns.text',
    'header.dataset',
    'header.filters',
    'header.filters[0].column',
    'header.filters[0].values',
    'header.format',
    'header.split',
    'request_id',
  ]);
});

test('rows that runs/ refuses reach the caller with their lines', async t => {
  const {client, runs} = await startTestServer(t);
  const violations = [{field: 'data[line 17].label', description: 'must be one of negative, positive'}];
  runs.faults.set('importDataset', new FtftError('INVALID_ARGUMENT', 'bad rows', {reason: 'ROWS_INVALID', violations}));
  const error = await errorOf(client.importDataset(importOf({header}, {data: Buffer.from('x')})));
  assert.equal(reasonOf(error), 'ROWS_INVALID');
  assert.deepEqual(
    detail(error, 'google.rpc.BadRequest')?.fieldViolations.map(({field}) => field),
    ['data[line 17].label'],
  );
});

test('a dataset is read with all its fields', async t => {
  const {client, runs} = await startTestServer(t);
  runs.datasets.set('movies', datasetRecord('movies'));
  assert.deepEqual(await client.getDataset({name: 'datasets/movies'}), {
    name: 'datasets/movies',
    uid,
    classNames: ['negative', 'positive'],
    textPairs: false,
    splits: [
      {
        name: 'train',
        outOfDistribution: false,
        instanceCount: 4,
        classCounts: [1, 3],
        digest: 'ab',
        createTime: new Date(time),
        columns: {text: 'text', textPair: '', label: 'stars', id: ''},
      },
    ],
    createTime: new Date(time),
    updateTime: new Date(time + 1),
  });
});

test('lists hold 50 entries when nothing is said and 1,000 at most', async t => {
  const {client, runs} = await startTestServer(t);
  runs.datasets.set('movies', datasetRecord('movies'));
  const page = await client.listDatasets({});
  assert.deepEqual(
    page.datasets.map(({name}) => name),
    ['datasets/movies'],
  );
  assert.equal(page.nextPageToken, 'next');
  await client.listDatasets({pageSize: 5000, pageToken: 'abc'});
  assert.deepEqual(runs.calls, [
    {pageSize: 50, pageToken: ''},
    {pageSize: 1000, pageToken: 'abc'},
  ]);
  assert.equal(reasonOf(await errorOf(client.listDatasets({pageSize: -1}))), 'INVALID_FIELD');
});
