import assert from 'node:assert/strict';
import {readdir} from 'node:fs/promises';
import {test} from 'node:test';
import {gzipSync} from 'node:zlib';
import {ParquetError} from '../../src/data/parquet-pages.js';
import {parquetLines} from '../../src/data/parquet-rows.js';
import {readSplit, type SplitFormat} from '../../src/data/read-split.js';
import {FtftError} from '../../src/errors.js';
import {temporaryFolder} from '../runs/support/open-runs.js';
import {bytesOf, chunks, damaged, golden} from './packed-files.js';
import {type ParquetLies, parquetFile} from './parquet-file.js';

const format: SplitFormat = {
  format: 'parquet',
  hasHeaderRow: true,
  columns: {text: 'text', label: 'label', id: 'uid'},
  classLabels: ['entailment', 'neutral', 'contradiction'].map((name, i) => ({name, aliases: [String(i)]})),
};
const read = (bytes: Uint8Array, changes: Partial<SplitFormat> = {}) =>
  readSplit(chunks(bytes), {...format, ...changes});

async function violations(bytes: Uint8Array, changes: Partial<SplitFormat> = {}): Promise<string[]> {
  const error = await read(bytes, changes).then(
    () => assert.fail('nothing was wrong'),
    error => error,
  );
  assert.ok(error instanceof FtftError && error.details.reason === 'ROWS_INVALID', String(error));
  return error.details.violations!.map(({field, description}) => `${field}: ${description}`);
}

const inMemory = (bytes: Uint8Array) => ({
  byteLength: bytes.length,
  async slice(start: number, end = bytes.length) {
    const part = bytes.subarray(start, end);
    if (part.length < end - start) throw new ParquetError('bytes that lie beyond its end');
    return Uint8Array.from(part).buffer;
  },
});
async function linesOf(bytes: Uint8Array, wanted: string[]): Promise<string[]> {
  let text = '';
  for await (const piece of parquetLines(inMemory(bytes), wanted)) text += piece;
  return text.trimEnd().split('\n');
}

const wanted = golden.rows.map(({uid, text, label}) => ({uid, text, label}));

test('rows come as they are in the file, whatever packs it, in whole or in small groups and pages', async () => {
  const columns = ['uid', 'text', 'label', 'score', 'flag', 'maybe'] as const;
  for (const [kind, base64] of Object.entries(golden.parquet)) {
    const [names, ...rows] = (await linesOf(bytesOf(base64), [...columns])).map(line => JSON.parse(line));
    assert.deepEqual(names, ['uid', 'text', 'label', 'score', 'long', 'flag', 'maybe'], `${kind}: no lists`);
    const expected = golden.rows.map(row => Object.fromEntries(columns.map(name => [name, row[name]])));
    assert.deepEqual(rows, expected, kind);
  }
});

test('a split is read through the disk and a process of its own, and both are gone afterwards', async t => {
  const folder = await temporaryFolder(t);
  const bytes = bytesOf(golden.parquet.small_groups);
  for (const packed of [bytes, gzipSync(bytes)]) {
    const split = await read(packed, {temporaryFolder: folder});
    assert.deepEqual(split.examples, wanted);
    assert.deepEqual(split.classCounts, [14, 13, 13]);
    assert.deepEqual(await readdir(folder), []);
  }
  const filters = [
    {column: 'flag', values: ['true'], isExcluding: false},
    {column: 'maybe', values: ['m2', 'm6'], isExcluding: true},
  ];
  const {examples} = await read(bytes, {filters, columns: {...format.columns, id: 'long'}});
  assert.equal(examples.length, 18);
  assert.equal(examples[1].uid, '678901234567890127');
});

test('missing columns, nested ones, missing values and labels are named by row', async () => {
  const bytes = bytesOf(golden.parquet.snappy);
  assert.deepEqual(await violations(bytes, {columns: {text: 'tags', label: 'label', id: 'id'}}), [
    'columns.text: expected one of the columns with one value a row, "uid", "text", "label", "score", "long", "flag", "maybe", found "tags"',
    'columns.id: expected one of the columns with one value a row, "uid", "text", "label", "score", "long", "flag", "maybe", found "id"',
  ]);
  const [first] = await violations(bytes, {columns: {text: 'maybe', label: 'label'}});
  assert.equal(first, 'data[row 1].maybe: is missing: null');
  const classLabels = format.classLabels.slice(0, 2);
  assert.match((await violations(bytes, {classLabels}))[0], /^data\[row 3\]\.label: expected one of .*, found "2"$/);
  assert.match(
    (await violations(bytes, {columns: {text: 'label', label: 'label'}}))[0],
    /^data\[row 1\]\.label: expected a text/,
  );
});

test('what is no Parquet file, or one that lies, is refused by what it promises', async () => {
  assert.deepEqual((await linesOf(parquetFile(), ['label'])).slice(1), Array(3).fill('{"label":7}'));
  const lies: [ParquetLies, RegExp][] = [
    [{footerBytes: 2 ** 31}, /^a footer of 2147483648 bytes/],
    [{footerBytes: 60_000}, /^a footer of 60000 bytes/],
    [{rows: 2 ** 23}, /^a row group of 8388608 rows/],
    [{numValues: 4}, /^4 values for 3 rows in column "label"/],
    [{values: 2}, /^2 values for 3 rows|beyond|STOP/],
    [{values: 2 ** 30}, /^a page of 1073741824 values where 3 are left/],
    [{values: -1}, /^a page of -1 values/],
    [{uncompressedPageBytes: 2 ** 30}, /^a page of 1073741824 bytes/],
    [{uncompressedPageBytes: -1}, /^a page of -1 bytes/],
    [{compressedPageBytes: 2 ** 20}, /^a page beyond its end/],
    [{compressedPageBytes: -5}, /^a page beyond its end/],
    [{dictionaryValues: 2 ** 30}, /^a dictionary of 1073741824 values/],
    [{chunkBytes: 2 ** 30}, /^1073741824 bytes in a row group/],
    [{chunkBytes: 5000}, /^an offset beyond the end/],
    [{pageOffset: 2 ** 33}, /^an offset beyond the end/],
    [{codec: 5}, /^compression LZ4 \(expected UNCOMPRESSED, SNAPPY, GZIP, BROTLI, ZSTD\)/],
  ];
  for (const [lie, message] of lies)
    await assert.rejects(linesOf(parquetFile(lie), ['label']), {message}, JSON.stringify(lie));
  const [whole] = [bytesOf(golden.parquet.snappy)];
  assert.deepEqual(await violations(Buffer.from('text,label\n')), ['data: expected a Parquet file, found 11 bytes']);
  assert.deepEqual(await violations(Buffer.from('{"text": "a"}\n{}\n')), [
    'data: expected a Parquet file, found another beginning than PAR1',
  ]);
  assert.deepEqual(await violations(whole.subarray(0, -20)), [
    'data: expected a Parquet file, found another end than PAR1: is it cut off?',
  ]);
  assert.match((await violations(bytesOf(golden.lz4_parquet)))[0], /found compression LZ4_RAW .* in column "text"$/);
});

test('a run of indices that would fill the memory ends the process that reads it, not ours', async () => {
  const columns = {text: 'label', label: 'label'};
  assert.deepEqual(await violations(parquetFile({run: 2 ** 30}), {columns}), [
    'data: expected a Parquet file that can be read in 1024 MiB of memory, found one that cannot',
  ]);
});

test('a Parquet file is not taken for text', async () => {
  for (const other of ['jsonl', 'csv', 'tsv'] as const)
    assert.deepEqual(await violations(bytesOf(golden.parquet.snappy), {format: other}), [
      `data: expected ${other.toUpperCase()}, found a Parquet file`,
    ]);
  const columns = {text: 'PAR1', label: 'label'};
  assert.equal((await read(Buffer.from('PAR1\tlabel\na\t0\n'), {format: 'tsv', columns})).examples[0].text, 'a');
});

test('damaged files are refused or give as many rows as they promise, in little memory', async () => {
  let numRefused = 0;
  for (const [kind, base64] of Object.entries(golden.parquet))
    for (let seed = 1; seed <= 300; seed++) {
      const bytes = damaged(bytesOf(base64), seed);
      try {
        const [, ...rows] = await linesOf(bytes, ['uid', 'text', 'label']);
        for (const row of rows) JSON.parse(row);
        assert.ok(rows.length === 40 || rows.length === 0, `${kind}, seed ${seed}: ${rows.length} rows`);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(error instanceof Error);
        numRefused++;
      }
    }
  assert.ok(numRefused > 1200, `${numRefused} refused`);
  assert.ok(process.resourceUsage().maxRSS < 700 * 1024);
});
