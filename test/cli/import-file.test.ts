// ftft import against a service in memory: bytes as they were, in pieces, or one clear error.
import assert from 'node:assert/strict';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {after, before, test} from 'node:test';
import {gzipSync} from 'node:zlib';
import {firstLines} from '../../src/cli/import-file.js';
import {FileFormat} from '../../src/server/gen/ftft/v1/dataset.js';
import {type FakeService, startFakeService} from './support/fake-service.js';
import {run} from './support/terminal.js';

let fake: FakeService;
let folder: string;
const columns = ['--text', 'text', '--label', 'label'];
const rows = Array.from(
  {length: 20_000},
  (_, i) => `{"uid": "u${i}", "text": "Une idée ${i} ${Math.sin(i)}", "label": "positive"}\n`,
).join('');

before(async () => {
  fake = await startFakeService();
  folder = await mkdtemp(join(tmpdir(), 'ftft-import-'));
});
after(async () => {
  await fake.stop();
  await rm(folder, {recursive: true});
});

test('a packed file arrives as it is, in pieces of 512 KiB at most: the server unpacks', async () => {
  const file = join(folder, 'rows.jsonl.gz');
  const packed = gzipSync(rows, {level: 0});
  await writeFile(file, packed);
  const {exitCode, out} = await run(fake.address, [
    'import',
    'demo',
    'train',
    file,
    ...columns,
    '--id',
    'uid',
    '--classes',
    'negative=0|neg,positive',
  ]);
  assert.equal(exitCode, 0);
  assert.match(out, /imported datasets\/demo, split train: [\d,]+ instances/);
  const {header, bytes, pieces} = fake.imports.at(-1)!;
  assert.ok(bytes.equals(packed));
  assert.ok(pieces.length > 1 && Math.max(...pieces) <= 512 * 1024);
  assert.deepEqual(header.classLabels, [
    {name: 'negative', aliases: ['0', 'neg']},
    {name: 'positive', aliases: []},
  ]);
  assert.deepEqual([header.format, header.columns!.id], [FileFormat.FILE_FORMAT_JSONL, 'uid']);
});

test('- reads standard input, whose format must be said', async () => {
  const stdin = Buffer.from('good\tpositive\n');
  const args = ['import', 'demo', 'ood_x', '-', '--text', '0', '--label', '1', '--no-header', '--ood'];
  assert.equal((await run(fake.address, args, {stdin})).exitCode, 2);
  const {exitCode, out} = await run(fake.address, [...args, '--format', 'tsv', '--json'], {stdin});
  assert.equal(exitCode, 0);
  assert.equal(JSON.parse(out).split.outOfDistribution, true);
  const {header, bytes} = fake.imports.at(-1)!;
  assert.deepEqual(
    [header.format, header.noHeaderRow, bytes.toString()],
    [FileFormat.FILE_FORMAT_TSV, true, 'good\tpositive\n'],
  );
});

test('wrong rows exit 2 with the row and what it must be; warnings go to standard error', async () => {
  const file = join(folder, 'odd.jsonl');
  await writeFile(file, '{"text": "a", "label": "odd"}\n');
  const {exitCode, out, err} = await run(fake.address, ['import', 'demo', 'odd', file, ...columns]);
  assert.deepEqual([exitCode, out], [2, '']);
  assert.match(err, /data\[line 2\]\.label must be one of negative, positive[\s\S]*\(INVALID_ARGUMENT, ROWS_INVALID\)/);
  await writeFile(file, '{"text": "twice", "label": "positive"}\n');
  assert.match(
    (await run(fake.address, ['import', 'demo', 'b', file, ...columns])).err,
    /^warning: 2 texts stand twice$/m,
  );
});

test('the format is what the file begins with, else what its name says, and one for all', async () => {
  const formats: [string, string | Buffer, FileFormat | undefined][] = [
    ['a.csv', 'PAR1\x15', FileFormat.FILE_FORMAT_PARQUET],
    ['b.parquet', Buffer.from('28b52ffd', 'hex'), FileFormat.FILE_FORMAT_PARQUET],
    ['c.jsonl.zst', 'x', FileFormat.FILE_FORMAT_JSONL],
    ['d.TSV.gz', 'x', FileFormat.FILE_FORMAT_TSV],
    ['e', '{"text": 1}', FileFormat.FILE_FORMAT_JSONL],
    ['f.txt', 'text,label', undefined],
  ];
  for (const [name, content, format] of formats) {
    await writeFile(join(folder, name), content);
    const {exitCode, err} = await run(fake.address, ['import', 'demo', 'x', join(folder, name), ...columns]);
    if (format === undefined)
      assert.match(err, /Cannot tell the format of .*f\.txt .*say --format: jsonl, csv, tsv, parquet/);
    else assert.equal(fake.imports.at(-1)!.header.format, format, name);
    assert.equal(exitCode, format === undefined ? 2 : 0);
  }
  const mixed = await run(fake.address, ['import', 'demo', 'x', join(folder, 'b.parquet'), join(folder, 'd.TSV.gz')]);
  assert.equal(mixed.exitCode, 2);
  assert.match(mixed.err, /must have one format/);
});

test('several files are sent one after the other, and rows may be chosen', async () => {
  const [a, b] = [join(folder, 'a1.csv'), join(folder, 'b1.csv')];
  await writeFile(a, 'text,label\n');
  await writeFile(b, 'text,label\nx,positive\n');
  const where = ['--where', 'split=dev|test', '--where', 'label!=-', '--where', 'note=a=b'];
  assert.equal((await run(fake.address, ['import', 'demo', 'x', a, b, ...where])).exitCode, 0);
  const {header, bytes, starts} = fake.imports.at(-1)!;
  assert.deepEqual(starts, ['b1.csv']);
  assert.equal(bytes.toString(), 'text,label\ntext,label\nx,positive\n');
  assert.deepEqual(header.filters, [
    {column: 'split', values: ['dev', 'test'], exclude: false},
    {column: 'label', values: ['-'], exclude: true},
    {column: 'note', values: ['a=b'], exclude: false},
  ]);
  assert.deepEqual([header.columns!.text, header.columns!.label], ['text', 'label'], 'what they are called mostly');
  assert.equal((await run(fake.address, ['import', 'demo', 'x', a, '--where', 'split'])).exitCode, 2);
});

test('a missing file and a folder exit 2 and name the file; nothing is imported', async () => {
  const before = fake.imports.length;
  for (const [path, message] of [
    [join(folder, 'none.csv'), /no such file/],
    [folder, /a folder/],
  ] as const) {
    const {exitCode, err} = await run(fake.address, ['import', 'demo', 'x', path, ...columns, '--format', 'csv']);
    assert.equal(exitCode, 2);
    assert.match(err, message);
  }
  assert.equal(fake.imports.length, before);
});

test('the first n lines end with the n-th newline, wherever pieces are cut', async () => {
  const whole = 'one\ntwo\nthree\nfour';
  for (let size = 1; size <= whole.length; size++) {
    async function* pieces() {
      for (let from = 0; from < whole.length; from += size) yield Buffer.from(whole.slice(from, from + size));
    }
    for (const [n, expected] of [
      [2, 'one\ntwo\n'],
      [3, 'one\ntwo\nthree\n'],
      [9, whole],
    ] as const)
      assert.equal(await text(firstLines(pieces(), n)), expected);
  }
});
