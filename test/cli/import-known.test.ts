// ftft import-known against a service in memory: small files in the layouts in which the four data sets are handed round, quirks and all.
import assert from 'node:assert/strict';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {after, before, beforeEach, type TestContext, test} from 'node:test';
import {type FakeService, startFakeService} from './support/fake-service.js';
import {importedSplits} from './support/imported-splits.js';
import {run} from './support/terminal.js';

let fake: FakeService;
before(async () => {
  fake = await startFakeService();
});
beforeEach(() => {
  fake.imports.length = 0;
});
after(() => fake.stop());

type Files = Record<string, string | Uint8Array>;

function folderOf(t: TestContext, files: Files): string {
  const folder = mkdtempSync(join(tmpdir(), 'ftft-known-'));
  t.after(() => rmSync(folder, {recursive: true}));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), {recursive: true});
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

async function imported(t: TestContext, name: string, files: Files, ...args: string[]) {
  const {exitCode, err} = await run(fake.address, ['import-known', name, '--from', folderOf(t, files), ...args]);
  assert.equal(exitCode, 0, err);
  return await importedSplits(fake);
}

const tsv = (...rows: string[][]) => rows.map(row => `${row.join('\t')}\n`).join('');
const parses = ['sentence1_binary_parse', 'sentence2_binary_parse', 'sentence1_parse', 'sentence2_parse'];
const glueHeader = ['index', 'promptID', 'pairID', 'genre', ...parses, 'sentence1', 'sentence2'];
const glueRow = (index: number, premise: string, hypothesis: string, labels: string[]) => [
  ...[String(index), '31193', '31193n', 'government', '( a )', '( b )', '(ROOT a)', '(ROOT b)'],
  ...[premise, hypothesis, ...labels],
];

test('MNLI as GLUE has it: the last column is gold, quotes and NA are text', async t => {
  const files = {
    'MNLI/train.tsv': tsv(
      [...glueHeader, 'label1', 'gold_label'],
      glueRow(0, 'He said "no', 'NA', ['neutral', 'neutral']),
      glueRow(1, ' spaces stay ', 'null', ['entailment', 'entailment']),
    ),
    'MNLI/dev_matched.tsv': tsv(
      [...glueHeader, 'label1', 'label2', 'label3', 'label4', 'label5', 'gold_label'],
      glueRow(0, 'p', 'h', ['neutral', 'contradiction', 'contradiction', 'neutral', 'contradiction', 'contradiction']),
    ),
    'MNLI/test_matched.tsv': 'index\n0\n',
  };
  const splits = await imported(t, 'mnli', files);
  assert.deepEqual(
    splits.map(({dataset, split, isOutOfDistribution}) => [dataset, split, isOutOfDistribution]),
    [
      ['datasets/nli', 'train', false],
      ['datasets/nli', 'dev', false],
    ],
  );
  assert.deepEqual(splits[0].examples, [
    {uid: '0', text: 'He said "no', textPair: 'NA', label: 1},
    {uid: '1', text: ' spaces stay ', textPair: 'null', label: 0},
  ]);
  assert.deepEqual(splits[1].examples, [{uid: '0', text: 'p', textPair: 'h', label: 2}]);
});

test("MNLI's own files: pairs on which nobody agreed are left out", async t => {
  const row = (label: string, i: number) =>
    `${JSON.stringify({gold_label: label, sentence1: `p${i}`, sentence2: `h${i}`, pairID: `${i}n`, annotator_labels: [label]})}\n`;
  const files = {
    'multinli_1.0/multinli_1.0_train.jsonl': row('neutral', 0),
    'multinli_1.0/multinli_1.0_dev_matched.jsonl':
      row('-', 0) + row('contradiction', 1) + row('-', 2) + row('entailment', 3),
    'multinli_1.0/multinli_1.0_dev_mismatched.jsonl': row('entailment', 0),
  };
  const splits = await imported(t, 'mnli', files, '--dataset', 'mine');
  assert.deepEqual(
    splits.map(({dataset, split, isOutOfDistribution}) => [dataset, split, isOutOfDistribution]),
    [
      ['datasets/mine', 'train', false],
      ['datasets/mine', 'dev', false],
      ['datasets/mine', 'dev_mismatched', true],
    ],
  );
  assert.deepEqual(splits[1].examples, [
    {uid: '0', text: 'p1', textPair: 'h1', label: 2},
    {uid: '1', text: 'p3', textPair: 'h3', label: 0},
  ]);
});

test("ANLI's own files: rounds are splits out of distribution, letters are labels, train comes when it is asked for", async t => {
  const row = (uid: string, label: string) =>
    `${JSON.stringify({uid, context: `c ${uid}`, hypothesis: 'h', label, model_label: 'e', emturk: true, genre: 'wiki', reason: '', tag: ''})}\n`;
  const files = Object.fromEntries(
    [1, 2, 3].flatMap(round =>
      ['train', 'dev', 'test'].map(part => [
        `anli_v1.0/R${round}/${part}.jsonl`,
        row(`${round}${part}`, 'enc'[round - 1]),
      ]),
    ),
  );
  const splits = await imported(t, 'anli', files);
  assert.deepEqual(
    splits.map(({split, isOutOfDistribution, examples: [{uid, text, label}]}) => [
      split,
      isOutOfDistribution,
      uid,
      text,
      label,
    ]),
    [1, 2, 3].flatMap(round =>
      ['dev', 'test'].map(part => [`anli_r${round}_${part}`, true, `${round}${part}`, `c ${round}${part}`, round - 1]),
    ),
  );
  fake.imports.length = 0;
  const [train, ...none] = await imported(t, 'anli', files, '--splits', 'anli_r2_train');
  assert.deepEqual([train.split, train.examples[0].uid, none], ['anli_r2_train', '2train', []]);
});

test('CAD as FTFT has it: label, text, id, no header, and an opening quote swallows nothing', async t => {
  const files = {
    'cad_uid.train': tsv(
      ['non-toxic', 'NA', 'a-post'],
      ['toxic', '"he began', 'b-title'],
      ['non-toxic', 'null', 'c-post'],
    ),
    'cad_uid.dev': tsv(['toxic', 'x', 'd-post']),
  };
  const [train, dev] = await imported(t, 'cad', files);
  assert.deepEqual([train.dataset, dev.split, dev.isOutOfDistribution], ['datasets/hate', 'dev', false]);
  assert.deepEqual(train.examples, [
    {uid: 'a-post', text: 'NA', label: 0},
    {uid: 'b-title', text: '"he began', label: 1},
    {uid: 'c-post', text: 'null', label: 0},
  ]);
});

test("CAD's own files: a text is toxic where one of its labels is abuse", async t => {
  const labels = [
    'Neutral',
    'CounterSpeech',
    'Slur',
    'IdentityDirectedAbuse',
    'AffiliationDirectedAbuse,PersonDirectedAbuse',
    'AffiliationDirectedAbuse,CounterSpeech,IdentityDirectedAbuse',
    'CounterSpeech,PersonDirectedAbuse',
    'CounterSpeech,Neutral',
  ];
  const rows = labels.map((label, i) => [`id${i}`, `a[linebreak]"b ${i}`, label, 'r/x']);
  const files = {'data/cad_v1_1_train.tsv': tsv(['id', 'text', 'labels', 'subreddit'], ...rows)};
  const [{examples}] = await imported(t, 'cad', files);
  assert.deepEqual(
    examples.map(({label}) => label),
    [0, 0, 0, 1, 1, 1, 1, 0],
  );
  assert.deepEqual([examples[3].uid, examples[3].text], ['id3', 'a[linebreak]"b 3']);
});

test("DynaHate's own table: each split has its rows of one round and level", async t => {
  const header = ',acl.id,X1,text,label,type,target,level,split,round.base,annotator,round,acl.id.matched\n';
  const row = (i: number, round: number, level: string, split: string, label: string) =>
    `${i},acl${i},${i},"text ""${i}"", and\nmore",${label},none,none,${level},${split},${round},a1,${round}a,\n`;
  const rows = [1, 2, 3, 4].flatMap(round =>
    ['original', 'perturbation'].flatMap(level => ['train', 'dev', 'test'].map(split => ({round, level, split}))),
  );
  const csv =
    header + rows.map(({round, level, split}, i) => row(i, round, level, split, i % 2 ? 'hate' : 'nothate')).join('');
  const splits = await imported(t, 'dynahate', {'Dynamically Generated Hate Dataset v0.2.3.csv': csv});
  assert.equal(splits.length, 12);
  for (const {dataset, split, isOutOfDistribution, examples} of splits) {
    assert.deepEqual([dataset, isOutOfDistribution, examples.length], ['datasets/hate', true, 1]);
    const [, round, level, part] = /^dynahate_r(\d)_(\w+)_(\w+)$/.exec(split)!;
    const i = rows.findIndex(row => row.round === Number(round) && row.level === level && row.split === part);
    assert.deepEqual(examples, [{uid: `acl${i}`, text: `text "${i}", and\nmore`, label: i % 2}]);
  }
});

test('DynaHate as FTFT has it has one file a split', async t => {
  const files = {
    'dynahate/r2_original.dev': tsv(['toxic', 'a']),
    'dynahate/r4_perturbation.test': tsv(['non-toxic', 'b']),
  };
  assert.deepEqual(
    (await imported(t, 'dynahate', files)).map(({split, examples: [{text, label}]}) => [split, text, label]),
    [
      ['dynahate_r2_original_dev', 'a', 1],
      ['dynahate_r4_perturbation_test', 'b', 0],
    ],
  );
});

test('what is not there, or there twice, exits 2 with what was expected', async t => {
  const empty = folderOf(t, {'notes.txt': ''});
  const twice = folderOf(t, {'a/train.tsv': '', 'b/train.tsv': ''});
  const one = folderOf(t, {'cad_uid.train': tsv(['toxic', 'x', 'u'])});
  const wrong: [string[], RegExp][] = [
    [
      ['mnli', '--from', empty],
      /expected GLUE's train\.tsv, .*; or MultiNLI's own .*; or the hub's nyu-mll\/multi_nli; found none/,
    ],
    [
      ['mnli', '--from', twice],
      /expected one copy of its files, found a\/train\.tsv, b\/train\.tsv; name a folder with one/,
    ],
    [['cad'], /the hub does not have it: fetch version 1\.1 of DOI 10\.5281\/zenodo\.4881008/],
    [['cad', '--from', one, '--splits', 'dev'], /There is no split dev; there are train/],
    [['snli'], /must be one of mnli, anli, cad, dynahate/],
    [['mnli', '--from', join(empty, 'none')], /it must be a folder/],
  ];
  for (const [args, message] of wrong) {
    const {exitCode, err} = await run(fake.address, ['import-known', ...args]);
    assert.equal(exitCode, 2);
    assert.match(err, message);
  }
  assert.equal(fake.imports.length, 0);
});
