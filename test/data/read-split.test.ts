import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {test} from 'node:test';
import {createGunzip} from 'node:zlib';
import {readSplit, type SplitFormat} from '../../src/data/read-split.js';
import {FtftError} from '../../src/errors.js';
import {needsShared, sharedPath} from '../support/shared.js';
import {ftftError} from './model-folder.js';

const format: SplitFormat = {
  format: 'jsonl',
  hasHeaderRow: true,
  columns: {text: 'text', label: 'label', id: 'id'},
  classLabels: [
    {name: 'positive', aliases: ['pos', '1']},
    {name: 'negative', aliases: ['0']},
  ],
};

/** The bytes in chunks of `size`. */
async function* chunks(content: string | Uint8Array, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

const read = (content: string | Uint8Array, changes: Partial<SplitFormat> = {}, size?: number) =>
  readSplit(chunks(content, size), {...format, ...changes});

async function violations(
  content: string | Uint8Array,
  changes: Partial<SplitFormat> = {},
  size?: number,
): Promise<string[]> {
  const error = await read(content, changes, size).then(
    () => assert.fail('nothing was wrong'),
    error => error,
  );
  assert.ok(error instanceof FtftError && error.code === 'INVALID_ARGUMENT', String(error));
  assert.equal(error.details.reason, 'ROWS_INVALID');
  return error.details.violations!.map(({field, description}) => `${field}: ${description}`);
}

test('lines and characters may straddle chunks of any size, with CRLF, a byte order mark and blank lines', async () => {
  const content = '\ufeff{"id":"a","text":"größer 😀","label":"pos"}\r\n\n{"id":"b","text":"\ufeffx\\n","label":0}';
  for (let size = 1; size < 70; size++) {
    const {examples, classCounts, digest, isTextPairs} = await read(content, {}, size);
    assert.deepEqual(examples, [
      {uid: 'a', text: 'größer 😀', label: 0},
      {uid: 'b', text: '\ufeffx\n', label: 1},
    ]);
    assert.deepEqual(classCounts, [1, 1]);
    assert.equal(isTextPairs, false);
    assert.equal(digest, createHash('sha256').update(content).digest('hex'));
  }
});

test('CSV cells are quoted as in RFC 4180 and may span lines; TSV quotes are text', async () => {
  const csv = 'label,text,note\r\n1,"say ""hi"",\r\nthen go",x\n0,NA,\n';
  const columns = {text: 'text', label: 'label'};
  for (let size = 1; size < 50; size++) {
    const {examples} = await read(csv, {format: 'csv', columns}, size);
    assert.deepEqual(examples, [
      {uid: '0', text: 'say "hi",\r\nthen go', label: 0},
      {uid: '1', text: 'NA', label: 1},
    ]);
  }
  const {examples} = await read('label\ttext\n1\t"open\n0\tnull\n', {format: 'tsv', columns});
  assert.deepEqual(
    examples.map(({text}) => text),
    ['"open', 'null'],
  );
});

test('without a header row columns are positions; pairs have two texts', async () => {
  const {examples, isTextPairs} = await read('7,a,b,1\n', {
    format: 'csv',
    hasHeaderRow: false,
    columns: {id: '0', text: '1', textPair: '2', label: '3'},
  });
  assert.deepEqual(examples, [{uid: '7', text: 'a', textPair: 'b', label: 0}]);
  assert.equal(isTextPairs, true);
});

test('JSON numbers are taken by their text: long ids stay apart', async () => {
  const {examples} = await read(
    '{"text":"\\"id\\": 7","id":12345678901234567890,"label":1}\n{"text":"b","id":12345678901234567891,"label":1.0}',
    {classLabels: [{name: 'positive', aliases: ['1', '1.0']}]},
  );
  assert.deepEqual(
    examples.map(({uid}) => uid),
    ['12345678901234567890', '12345678901234567891'],
  );
});

test('every wrong row is named by line and column, with what was expected and found', async () => {
  const lines = [
    '{"id":1,"text":"a","label":"pos"}',
    '{"id":2,"text":"b","label":"postive"}',
    '{"id":3,"text":"c","label":"pos"',
    '{"id":4,"label":"pos"}',
    '{"id":5,"text":null,"label":"pos"}',
    '{"id":6,"text":["e"],"label":"pos"}',
    '{"id":1,"text":"f","label":"pos"}',
    '[]',
    '{"id":"","text":"g","label":"pos"}',
    '{"id":8,"text":"\\ud800","label":"pos"}',
  ];
  assert.deepEqual(await violations(lines.join('\n')), [
    'data[line 2].label: expected one of positive (aliases pos, 1), negative (aliases 0), found "postive"',
    'data[line 3]: expected one JSON object, found malformed JSON at character 32',
    'data[line 4].text: is missing; the object has "id", "label"',
    'data[line 5].text: is missing: null',
    'data[line 6].text: expected a text, found an array',
    'data[line 7].id: expected an id of its own, "1" is that of line 1 already',
    'data[line 8]: expected one JSON object, found an array',
    'data[line 9].id: expected an id, found an empty one',
    'data[line 10].text: expected Unicode text, found half of a surrogate pair',
  ]);
});

test('only the first twenty wrong rows are named, and the rest is not read', async () => {
  let numRead = 0;
  const endless = async function* () {
    for (; numRead < 1000; numRead++) yield Buffer.from('{}}\n');
  };
  const error: unknown = await readSplit(endless(), format).catch(error => error);
  assert.ok(error instanceof FtftError && error.details.violations);
  assert.equal(error.details.violations.length, 20);
  assert.match(error.message, /data\[line 1\].*; 19 more, and the rest was not read$/);
  assert.ok(numRead < 30, `${numRead} lines read`);
});

test('bytes that are not UTF-8 are an error with their line, after the wrong rows before it', async () => {
  const content = Buffer.concat([
    Buffer.from('{}x\n{"id":"1","text":"a","label":"pos"}\n{"text":"'),
    Buffer.of(0xe9),
    Buffer.from('"}\n'),
  ]);
  for (const size of [1, 7, 1000]) {
    const found = await violations(content, {}, size);
    assert.equal(found.length, 2);
    assert.match(found[0], /^data\[line 1\]: expected one JSON object/);
    assert.equal(found[1], 'data[line 3]: expected UTF-8, found bytes that are not');
  }
});

test('empty files, missing or repeated columns, wrong cell counts and broken quotes are refused', async () => {
  const csv = {format: 'csv' as const, columns: {text: 'text', label: 'label'}};
  assert.deepEqual(await violations(''), ['data: expected at least one row, the file holds none']);
  assert.deepEqual(await violations('text,label\n', csv), ['data: expected at least one row, the file holds none']);
  assert.deepEqual(await violations('txt,label\na,1\n', csv), [
    'columns.text: expected one of the columns of the header row, "txt", "label", found "text"',
  ]);
  assert.match(
    (await violations('text,text,label\na,b,1\n', csv))[0],
    /columns.text: expected one column of this name/,
  );
  assert.match(
    (await violations('a,1\n', {...csv, hasHeaderRow: false}))[0],
    /columns.text: expected a position from 0 to 1/,
  );
  assert.deepEqual(await violations('text,label\na,1\nb\nc,1,2\n', csv), [
    'data[line 3]: expected 2 cells, found 1',
    'data[line 4]: expected 2 cells, found 3',
  ]);
  assert.match(
    (await violations('text,label\na,1\n\n"b,1\nc,1\n', csv))[0],
    /^data\[line 4\]: .*a quote is opened and never closed/,
  );
  assert.match((await violations('text,label\na"b,1\n', csv))[0], /^data\[line 2\]: .*a quote stands inside a cell/);
});

test('lines, records and files have an upper bound', async () => {
  const long = {maxLineBytes: 100};
  assert.deepEqual(
    await violations(`{}}\n{"text":"${'x'.repeat(100)}`, long).then(found => found[1]),
    'data[line 2]: expected at most 100 bytes in a line, found more',
  );
  const csv = {...long, format: 'csv' as const, columns: {text: 'text', label: 'label'}};
  assert.match(
    (await violations(`text,label\n"${'x\n'.repeat(60)}`, csv))[0],
    /^data\[line 2\]: .*the record is too long; is a quote opened/,
  );
  await assert.rejects(
    read('{}}\n'.repeat(99), {maxBytes: 10}),
    ftftError('RESOURCE_EXHAUSTED', 'MESSAGE_TOO_LARGE', /at most 10 bytes/),
  );
});

test('empty and repeated texts are warnings', async () => {
  const {examples, warnings} = await read(
    ['a', ' ', 'a', 'a', '']
      .map((text, i) => JSON.stringify({id: i, text, label: i === 3 ? 'negative' : 'positive'}))
      .join('\n'),
  );
  assert.equal(examples.length, 5);
  assert.deepEqual(warnings, [
    '2 instances have an empty text, the first in line 2',
    '2 instances repeat the text of an earlier one, the first in line 3; 1 of them with another label',
  ]);
});

test('one spelling for two classes is refused', async () => {
  const classLabels = [
    {name: 'a', aliases: ['x']},
    {name: 'b', aliases: ['x']},
  ];
  await assert.rejects(
    read('{}', {classLabels}),
    ftftError('INVALID_ARGUMENT', 'INVALID_FIELD', /class_labels\[1\] spells "x", as class_labels\[0\] does/),
  );
});

const nli = {
  columns: {text: 'premise', textPair: 'hypothesis', label: 'label', id: 'uid'},
  names: ['entailment', 'neutral', 'contradiction'],
};
const hate = {columns: {text: 'text', label: 'label', id: 'uid'}, names: ['non-toxic', 'toxic']};
const sharedFiles: [string, typeof nli | typeof hate, number[]][] = [
  ['nli/train.jsonl.gz', nli, [2993, 2906, 2948]],
  ['nli/dev.jsonl', nli, [334, 327, 328]],
  ['nli/id_test_snli.jsonl', nli, [1024, 964, 969]],
  ['nli/ood_mnli_matched.jsonl', nli, [373, 311, 316]],
  ['nli/ood_mnli_mismatched.jsonl', nli, [346, 319, 335]],
  ['nli/ood_counterfactual_test.jsonl', nli, [488, 552, 538]],
  ['hate/train.jsonl.gz', hate, [10196, 2191]],
  ['hate/dev.jsonl', hate, [3375, 690]],
  ['hate/id_test_cad.jsonl', hate, [4024, 807]],
  ['hate/ood_hatecheck.jsonl', hate, [1165, 2563]],
];

test('the shared data sets load with the class counts of their table', {skip: needsShared}, async () => {
  for (const [name, {columns, names}, counts] of sharedFiles) {
    const stream = createReadStream(sharedPath('data', name));
    const bytes = name.endsWith('.gz') ? stream.pipe(createGunzip()) : stream;
    const classLabels = names.map(name => ({name, aliases: []}));
    assert.deepEqual((await readSplit(bytes, {...format, columns, classLabels})).classCounts, counts, name);
  }
});
