import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {test} from 'node:test';
import {gzipSync} from 'node:zlib';
import {type FileStart, type RowFilter, readSplit, type SplitFormat} from '../../src/data/read-split.js';
import {FtftError} from '../../src/errors.js';
import {ftftError} from './model-folder.js';
import {bytesOf, damaged, golden} from './packed-files.js';

const format: SplitFormat = {
  format: 'csv',
  hasHeaderRow: true,
  columns: {text: 'text', label: 'label'},
  classLabels: [
    {name: 'no', aliases: ['0']},
    {name: 'yes', aliases: ['1']},
  ],
};

/** Files one after the other, in chunks of so many bytes. */
async function* files(contents: (string | Uint8Array)[], size = 5): AsyncGenerator<Uint8Array | FileStart> {
  for (const [i, content] of contents.entries()) {
    if (i > 0) yield {fileName: `${i}.csv`};
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
}
const read = (contents: (string | Uint8Array)[], changes: Partial<SplitFormat> = {}, size?: number) =>
  readSplit(files(contents, size), {...format, ...changes});
const textsOf = async (split: ReturnType<typeof read>) => (await split).examples.map(({text}) => text);

async function violations(split: Promise<unknown>): Promise<string[]> {
  const error = await split.then(
    () => assert.fail('nothing was wrong'),
    error => error,
  );
  assert.ok(error instanceof FtftError && error.details.reason === 'ROWS_INVALID', String(error));
  return error.details.violations!.map(({field, description}) => `${field}: ${description}`);
}

test('files of a split have a header row each, in an order of its own, and may be packed or not', async () => {
  const contents = ['text,label\na,1\nb,0', 'label,text\n1,c\n', gzipSync('text,note,label\nd,x,yes\n')];
  for (let size = 1; size < 40; size++) {
    const {examples, digest} = await read(contents, {}, size);
    assert.deepEqual(
      examples.map(({uid, text, label}) => [uid, text, label]),
      [
        ['0', 'a', 1],
        ['1', 'b', 0],
        ['2', 'c', 1],
        ['3', 'd', 1],
      ],
    );
    const whole = 'text,label\na,1\nb,0label,text\n1,c\ntext,note,label\nd,x,yes\n';
    assert.equal(digest, createHash('sha256').update(whole).digest('hex'), 'of the bytes unpacked');
  }
});

test('a file that begins with its name is the first', async () => {
  async function* named() {
    yield {fileName: 'a.csv'};
    yield* files(['text,label\na,1\n']);
  }
  assert.deepEqual(await textsOf(readSplit(named(), format)), ['a']);
});

test('what is wrong in a later file is named by file and line', async () => {
  assert.deepEqual(await violations(read(['text,label\na,1\n', 'text,label\nb,1\nc,9\n', 'text\nd\n'])), [
    'data[1.csv, line 3].label: expected one of no (aliases 0), yes (aliases 1), found "9"',
    'columns.label: expected one of the columns of the header row, "text", found "label"',
  ]);
  const id = {columns: {text: 'text', label: 'label', id: 'text'}};
  assert.deepEqual(await violations(read(['text,label\na,1\n', 'text,label\na,1\n'], id)), [
    'data[1.csv, line 2].text: expected an id of its own, "a" is that of line 2 already',
  ]);
});

test('empty files add nothing, and a split of empty files is none', async () => {
  assert.deepEqual(await textsOf(read(['', 'text,label\na,1\n', ''])), ['a']);
  assert.deepEqual(await violations(read(['', '', ''])), ['data: expected at least one row, the file holds none']);
});

test('the bytes of all files together are bounded, unpacked', async () => {
  const tooLarge = ftftError('RESOURCE_EXHAUSTED', 'MESSAGE_TOO_LARGE', /expected at most/);
  const file = gzipSync(`text,label\n${'a,1\n'.repeat(1000)}`);
  assert.equal((await read([file, file], {maxBytes: 8100}, 100)).examples.length, 2000);
  await assert.rejects(read([file, file], {maxBytes: 8000}, 100), tooLarge);
});

test('rows that do not pass the filters are as if they were not there', async () => {
  const csv = 'text,label,split,round\na,1,train,1\nb,?,test,1\nc,0,train,2\nd,1,train,3\n';
  const jsonl =
    '{"text":"a","label":1,"split":"train","round":1}\n{"text":"b","label":"?","split":"test"}\n' +
    '{"text":"c","label":0,"split":"train","round":2}\n{"text":"d","label":1,"split":"train","round":3}\n';
  const filter = (column: string, values: string[], isExcluding = false): RowFilter => ({column, values, isExcluding});
  for (const [kind, content] of [['csv', csv] as const, ['jsonl', jsonl] as const]) {
    const texts = (...filters: RowFilter[]) => textsOf(read([content], {format: kind, filters}));
    assert.deepEqual(await texts(filter('split', ['train'])), ['a', 'c', 'd']);
    assert.deepEqual(await texts(filter('label', ['?'], true)), ['a', 'c', 'd']);
    assert.deepEqual(await texts(filter('split', ['train']), filter('round', ['2', '3'])), ['c', 'd']);
    assert.deepEqual(await texts(filter('split', ['train']), filter('round', ['2'], true)), ['a', 'd']);
    const {examples} = await read([content], {format: kind, filters: [filter('round', ['2', '3'])]});
    assert.deepEqual(
      examples.map(({uid}) => uid),
      ['0', '1'],
    );
    const none = {format: kind, filters: [filter('split', ['dev'])]};
    assert.deepEqual(await violations(read([content], none)), [
      'data: expected at least one row, the filters leave none of 4',
    ]);
  }
  assert.deepEqual(await violations(read([csv], {filters: [filter('round', ['1']), filter('rnd', ['1'])]})), [
    'filters[1].column: expected one of the columns of the header row, "text", "label", "split", "round", found "rnd"',
  ]);
  const byPosition = {hasHeaderRow: false, columns: {text: '0', label: '1'}, filters: [filter('2', ['x'])]};
  assert.deepEqual(await textsOf(read(['a,1,x\nb,1,y\n'], byPosition)), ['a']);
});

test('damaged gzip and zstd name no line, and never give other rows than were packed', async () => {
  const jsonl: Partial<SplitFormat> = {
    format: 'jsonl',
    columns: {text: 'text', label: 'label', id: 'uid'},
    classLabels: ['a', 'b', 'c'].map((name, i) => ({name, aliases: [String(i)]})),
  };
  const whole = await read([golden.lines], jsonl, 1000);
  for (const packed of [gzipSync(golden.lines), bytesOf(golden.zstd_lines.checksum)]) {
    assert.deepEqual(await read([packed], jsonl, 100), whole);
    const [message] = await violations(read([packed.subarray(0, -9)], jsonl, 100));
    assert.match(message, /^data: expected a whole (gzip|zstd) file, found a damaged one: /);
    for (let seed = 1; seed <= 300; seed++)
      await read([damaged(packed, seed)], jsonl, 1000).then(
        found => assert.deepEqual(found, whole, `seed ${seed}`),
        error => assert.ok(error instanceof FtftError, `seed ${seed}: ${error}`),
      );
  }
});

test('damaged JSON Lines, CSV and TSV are read as other rows or refused by line, and nothing else is thrown', async () => {
  const classLabels = ['a', 'b', 'c'].map((name, i) => ({name, aliases: [String(i)]}));
  const columns = {text: 'text', label: 'label', id: 'uid'};
  const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const plain = (text: string) => text.replaceAll('\n', ' ');
  const contents = {
    jsonl: golden.lines,
    csv: `uid,text,label\n${golden.rows.map(({uid, text, label}) => `${uid},${cell(text)},${label}\n`).join('')}`,
    tsv: `uid\ttext\tlabel\n${golden.rows.map(({uid, text, label}) => `${uid}\t${plain(text)}\t${label}\n`).join('')}`,
  };
  for (const [kind, content] of Object.entries(contents)) {
    const changes = {format: kind as 'jsonl', classLabels, columns};
    assert.equal((await read([content], changes, 1000)).examples.length, golden.rows.length);
    let numRefused = 0;
    for (let seed = 1; seed <= 1000; seed++)
      await read([damaged(Buffer.from(content), seed)], changes, 1000).then(
        ({examples, classCounts}) =>
          assert.equal(
            examples.length,
            classCounts.reduce((a, b) => a + b),
          ),
        error => {
          assert.ok(
            error instanceof FtftError && error.details.reason === 'ROWS_INVALID',
            `${kind}, seed ${seed}: ${error}`,
          );
          numRefused++;
        },
      );
    assert.ok(numRefused > 300, `${kind}: ${numRefused} refused`);
  }
});
