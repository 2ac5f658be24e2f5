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

test('a .gz file arrives unpacked, byte for byte, in pieces of 512 KiB at most', async () => {
  const file = join(folder, 'rows.jsonl.gz');
  await writeFile(file, gzipSync(rows));
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
  assert.match(out, /imported datasets\/demo, split train: 20,000 instances/);
  const {header, bytes, pieces} = fake.imports.at(-1)!;
  assert.equal(bytes.toString(), rows);
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

test('a missing file, a folder and a cut gzip file exit 2 and name the file; nothing is imported', async () => {
  const file = join(folder, 'cut.csv.gz');
  await writeFile(file, gzipSync(rows).subarray(0, 20_000));
  const before = fake.imports.length;
  for (const [path, message] of [
    [file, /Cannot unpack .*cut\.csv\.gz/],
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
