import assert from 'node:assert/strict';
import {test} from 'node:test';
import {gzipSync} from 'node:zlib';
import {parquetWriteBuffer} from 'hyparquet-writer';
import type {DynamicsOptions, KnownInstances} from '../../src/data/dynamics-import.js';
import {readDynamicsTable} from '../../src/data/dynamics-table.js';
import {FtftError} from '../../src/errors.js';
import {chunks} from './packed-files.js';

const read = (content: string, options: Partial<DynamicsOptions> = {}, size = 1000) => {
  async function* bytes() {
    for (let at = 0; at < content.length; at += size) yield Buffer.from(content.slice(at, at + size));
  }
  return readDynamicsTable(bytes(), 'csv', {dropPartialLastEpoch: false, ...options});
};

async function faults(content: string, options: Partial<DynamicsOptions> = {}): Promise<string[]> {
  const error = await read(content, options).then(
    () => assert.fail('nothing was wrong'),
    error => error,
  );
  assert.ok(error instanceof FtftError && error.details.reason === 'ROWS_INVALID', String(error));
  return error.details.violations!.map(({field, description}) => `${field}: ${description}`);
}

const known: KnownInstances = {
  name: 'datasets/pets, split train',
  indexOf: new Map([
    ['b', 0],
    ['a', 1],
  ]),
  labels: Int32Array.of(1, 0),
  classNames: ['cat', 'dog'],
};
const columnsOf = ({epochs}: Awaited<ReturnType<typeof read>>) =>
  epochs.map(epoch => ('pTrue' in epoch ? [[...epoch.pTrue], [...epoch.isCorrect]] : assert.fail('logits')));

test('rows come in any order, columns too, and others are ignored', async () => {
  const content =
    'note,p_true,epoch,guid,correct,gold\nx,0.25,1,a,0,0\n"y,z",0.5,0,b,True,1\n,1,1,b,1,1\n,0,0,a,false,0\n';
  for (let size = 1; size < 40; size++) {
    const dynamics = await read(content, {}, size);
    assert.deepEqual(dynamics.guids, ['a', 'b']);
    assert.deepEqual([...dynamics.golds], [0, 1]);
    assert.deepEqual(columnsOf(dynamics), [
      [
        [0, 0.5],
        [0, 1],
      ],
      [
        [0.25, 1],
        [0, 1],
      ],
    ]);
    assert.deepEqual(dynamics.warnings, []);
  }
  const dynamics = await read(content, {known});
  assert.deepEqual([dynamics.guids, dynamics.numClasses, [...dynamics.golds]], [undefined, 2, [1, 0]]);
  assert.deepEqual(columnsOf(dynamics)[0], [
    [0.5, 0],
    [1, 0],
  ]);
});

test('without a column correct p_true above one half is right, and where that cannot be known a warning counts', async () => {
  const rows = 'guid,epoch,p_true\na,0,0.6\nb,0,0.5\na,1,0.5\nb,1,0.2\n';
  const two = await read(rows, {known});
  assert.deepEqual(
    columnsOf(two).map(([, correct]) => correct),
    [
      [0, 1],
      [0, 1],
    ],
    'of two equal probabilities the first class wins',
  );
  assert.deepEqual(two.warnings, []);
  const three = await read(rows, {known: {...known, classNames: ['a', 'b', 'c'], labels: Int32Array.of(1, 2)}});
  assert.deepEqual(columnsOf(three)[1][1], [0, 0]);
  assert.match(
    three.warnings[0],
    /^2 values of p_true of 4 may or may not be the largest probability and count as wrong/,
  );
  const none = await read(rows);
  assert.match(none.warnings[0], /^3 values of p_true of 4/);
  assert.deepEqual([none.numClasses, [...none.golds]], [0, [-1, -1]]);
});

test('values out of range, unknown guids and doubled rows are named by line and column', async () => {
  const content = [
    'guid,epoch,p_true,correct,gold',
    'a,0,1.1,1,0',
    'a,0,NaN,1,0',
    'a,0,,1,0',
    'a,-1,0.5,1,0',
    'a,0.5,0.5,1,0',
    'a,first,0.5,1,0',
    'a,0,0.5,maybe,0',
    ',0,0.5,1,0',
    'c,0,0.5,1,0',
    'a,0,0.5,1,2',
    'a,1,0.5,1,1',
    'b,0,0.5,1,1',
    'b,0,0.5,1,1',
  ];
  assert.deepEqual(
    (await faults(content.join('\n'), {known})).map(fault => fault.replace('table[line ', '')),
    [
      '2].p_true: expected a probability from 0 to 1, found "1.1"',
      '3].p_true: expected a probability from 0 to 1, found "NaN"',
      '4].p_true: expected a probability from 0 to 1, found ""',
      '5].epoch: expected a whole number from 0 to 9999, found "-1"',
      '6].epoch: expected a whole number from 0 to 9999, found "0.5"',
      '7].epoch: expected a whole number from 0 to 9999, found "first"',
      '8].correct: expected 0 or 1, found "maybe"',
      '9].guid: expected a whole number or a text that is not empty, found ""',
      '10].guid: expected the id of an instance of datasets/pets, split train, found "c"',
      '11].gold: expected a class index from 0 to 1, found "2"',
      '12].gold: expected 0, the label in datasets/pets, split train, cat, found 1',
      '14].guid: expected each instance once in an epoch, "b" is in epoch 0 already',
    ],
  );
  const turned = {...known, classOrder: [1, 0]};
  assert.deepEqual(await faults('guid,epoch,p_true,gold\na,0,0.5,0\nb,0,0.5,0\n', {known: turned}), [
    'table[line 2].gold: expected 0, the label in datasets/pets, split train, cat, found 0',
  ]);
});

test('missing epochs and instances, columns and rows are one error', async () => {
  const header = 'guid,epoch,p_true\n';
  assert.deepEqual(await faults(`${header}a,0,1\na,2,1\n`), [
    'table[epoch 1]: epoch 1 is missing: epochs must run from 0',
  ]);
  assert.deepEqual(await faults(`${header}a,1,1\n`), ['table[epoch 0]: epoch 0 is missing: epochs must run from 0']);
  const partial = `${header}a,0,1\nb,0,1\nb,1,1\n`;
  assert.deepEqual(await faults(partial), [
    'table[epoch 1]: expected every instance once, it lacks 1 instance, the first of them "a"',
  ]);
  const {epochs, warnings} = await read(partial, {dropPartialLastEpoch: true});
  assert.equal(epochs.length, 1);
  assert.deepEqual(warnings[0], 'epoch 1 was dropped: it lacks 1 instance, the first of them "a"');
  assert.match((await faults(`${header}a,0,1\na,1,1\nb,1,1\n`, {dropPartialLastEpoch: true}))[0], /^table\[epoch 0\]/);
  assert.deepEqual(await faults(`${header}b,0,1\n`, {known}), [
    'table[epoch 0]: expected every instance once, it lacks 1 instance, the first of them "a"',
  ]);
  assert.match((await faults(`${header}b,0,1\n`, {known, dropPartialLastEpoch: true}))[0], /^table\[epoch 0\]/);
  assert.deepEqual(await faults(header), ['table: expected at least one row, the file holds none']);
  assert.deepEqual(await faults(''), ['table: expected at least one row, the file holds none']);
  assert.deepEqual(await faults('id,epoch,epoch\n'), [
    'table.guid: expected a column of this name, found "id", "epoch", "epoch"',
    'table.epoch: expected one column of this name',
    'table.p_true: expected a column of this name, found "id", "epoch", "epoch"',
  ]);
  assert.deepEqual(await faults(`${header}a,0\n`), ['table[line 2]: expected 3 cells, found 2']);
});

test('a Parquet table gives what a CSV table gives, long guids and all', async () => {
  const guids = [12345678901234567n, 12345678901234568n, 12345678901234567n, 12345678901234568n];
  const columns = {epoch: [0n, 0n, 1n, 1n], p_true: [0.25, 0.5, 0.75, 1], correct: [false, true, true, true]};
  const columnData = [
    {name: 'note', data: ['a', 'b', 'c', 'd']},
    {name: 'p_true', data: columns.p_true, type: 'DOUBLE' as const},
    {name: 'epoch', data: columns.epoch, type: 'INT64' as const},
    {name: 'guid', data: guids, type: 'INT64' as const},
    {name: 'correct', data: columns.correct, type: 'BOOLEAN' as const},
    {name: 'gold', data: [0, 1, 0, 1], type: 'INT32' as const},
  ];
  const parquet = async (data: typeof columnData, options: Partial<DynamicsOptions> = {}) => {
    const bytes = chunks(new Uint8Array(parquetWriteBuffer({columnData: data})), 100);
    return await readDynamicsTable(bytes, 'parquet', {dropPartialLastEpoch: false, ...options});
  };
  const rows = guids.map((guid, i) => [guid, columns.epoch[i], columns.p_true[i], columns.correct[i], i % 2].join());
  const expected = await read(['guid,epoch,p_true,correct,gold', ...rows].join('\n'));
  assert.deepEqual(await parquet(columnData), expected);
  assert.deepEqual(expected.guids, ['12345678901234567', '12345678901234568']);
  const few = await parquet(columnData.slice(1, 4));
  assert.match(few.warnings[0], /^2 values of p_true of 4/);
  await assert.rejects(
    parquet(columnData.slice(0, 3)),
    /table\.guid: expected a column of this name, found "note", "p_true"/,
  );
  const wrong = columnData.map(column => (column.name === 'p_true' ? {...column, data: [0.25, 0.5, 1.5, 1]} : column));
  await assert.rejects(parquet(wrong as typeof columnData), /table\[row 3\]\.p_true: expected a probability/);
});

test('packed logs and tables are unpacked', async () => {
  const content = 'guid,epoch,p_true\na,0,1\nb,0,0\n';
  const packed = (bytes: Uint8Array) => readDynamicsTable(chunks(bytes, 3), 'csv', {dropPartialLastEpoch: false});
  assert.deepEqual(await packed(gzipSync(content)), await read(content));
  await assert.rejects(packed(gzipSync(content).subarray(0, 30)), /table: expected a whole gzip file/);
});

test('a table that would hold far more than it brings is refused before its memory is taken', async () => {
  const indexOf = new Map(Array.from({length: 10_000}, (_, i) => [`g${i}`, i]));
  const many = {...known, indexOf, labels: new Int32Array(10_000)};
  const rows = Array.from({length: 200}, (_, epoch) => `g9999,${epoch},0.5\n`).join('');
  await assert.rejects(read(`guid,epoch,p_true\n${rows}`, {known: many, maxColumnBytes: 1 << 23}), {
    code: 'RESOURCE_EXHAUSTED',
    details: {reason: 'MESSAGE_TOO_LARGE'},
  });
});
