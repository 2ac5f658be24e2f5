import assert from 'node:assert/strict';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {test} from 'node:test';
import {besidePeers} from '../../bench/compare.js';
import {commandLine} from '../../bench/keep.js';
import type {Machine} from '../../bench/machine.js';
import {reportPage, verdicts} from '../../bench/report/report.js';
import {
  compared,
  holds,
  measured,
  type Result,
  type Row,
  readResults,
  writeResult,
} from '../../bench/report/results.js';
import {cells, markdownTable, quantity} from '../../bench/report/table.js';

const machine: Machine = {cpu: 'CPU', cores: 2, memoryGB: 8, arch: 'x64', node: '20', tensorflow: 'cpu-2'};
const step = {bound: 'at least', value: 1.25, aim: 1.5} as const;
const row = (ours: number[], peer: number[]): Row =>
  compared('32 x 128', measured('ftft', ours), measured('PyTorch', peer), step);

const result = (name: string, rows: Row[], on: Partial<Machine> = {}): Result => ({
  name,
  title: `Title of ${name}`,
  command: 'npm run bench -- train --rounds 3',
  date: '2026-01-02T03:04:05.000Z',
  machine: {...machine, ...on},
  versions: {PyTorch: '2'},
  rows,
  notes: {movie: 'skipped'},
  othersShare: 0.01,
});

test('a row has medians, minima, their ratio and whether it reaches its target', () => {
  assert.deepEqual(cells(row([2, 1, 3], [3, 2.5, 4])), [
    '32 x 128',
    'ftft: 2.00 s / 1.00 s',
    'PyTorch: 3.00 s / 2.50 s',
    'peer / ours 1.50',
    'at least 1.25, aim 1.5',
    'yes',
  ]);
  assert.equal(cells(row([1], [1.2])).at(-1), 'NO');
  assert.equal(cells(row([1], [1.2]))[1], 'ftft: 1.00 s');
});

test('a bound may be met exactly, from either side, and no number meets none', () => {
  const figure = (value: number, bound: 'at least' | 'at most') =>
    holds({name: 'x', unit: 'percent', value, target: {bound, value: 2}});
  assert.ok(figure(2, 'at most') && figure(2, 'at least'));
  assert.ok(!figure(2.01, 'at most') && !figure(1.99, 'at least'));
  assert.ok(!figure(Number.NaN, 'at most') && !figure(Number.NaN, 'at least'));
  assert.equal(holds({name: 'x', unit: 'times', value: 1}), undefined);
});

test('quantities have the unit that fits them', () => {
  assert.deepEqual(
    [1.5, 0.0123, 2.5e-5].map(seconds => quantity(seconds, 's')),
    ['1.50 s', '12.3 ms', '25.0 µs'],
  );
  assert.deepEqual(
    [2.5e9, 16.2e6].map(bytes => quantity(bytes, 'bytes')),
    ['2.50 GB', '16.2 MB'],
  );
});

test('only the best of the peers is measured against the target', () => {
  const rows = besidePeers(
    'x',
    {ftft: [1], PyTorch: [3, 3, 3], 'torch.compile': [2, 2, 9]},
    {instances: 32, target: step},
  );
  assert.deepEqual(
    rows.map(({peer, figure}) => [peer?.name, figure.value, figure.target]),
    [
      ['PyTorch', 3, undefined],
      ['torch.compile', 2, step],
    ],
  );
  assert.equal(rows[0].ours.rate?.value, 32);
});

test('over batches that differ, what counts is the time of all of them', () => {
  const seconds = {ftft: [1, 1, 2], PyTorch: [1, 2, 9], other: [3, 3, 4]};
  const rows = besidePeers('x', seconds, {instances: 10, target: step, by: 'sum'});
  assert.deepEqual(
    rows.map(({figure}) => [figure.value, figure.target]),
    [
      [3, undefined],
      [2.5, step],
    ],
  );
  assert.equal(rows[0].ours.rate?.value, 30 / 4);
});

test('the page says which targets hold, which do not, and what was not measured', () => {
  const results = [result('train-steps', [row([1], [2])]), result('memory', [row([1], [1])])];
  assert.equal(
    verdicts(results),
    '**Targets that hold (1):** train-steps, 32 x 128 (2.00).\n\n**Targets that do not hold (1):** memory, 32 x 128 (1.00).',
  );
  const page = reportPage(results, ['memory', 'leak', 'train-steps']);
  assert.match(page, /Not measured yet: leak\./);
  assert.match(page, /`npm run bench -- train --rounds 3`, 2026-01-02\. CPU \(x64\), 2 cores, 8 GB, .* PyTorch 2\./);
  assert.match(page, /- movie: skipped/);
  assert.ok(page.indexOf('Title of memory') < page.indexOf('Title of train-steps'), 'in the order of the page');
  assert.match(page, /No run on a GPU is kept here\. On a machine that has one: `FTFT_DEVICE=gpu npm run bench`/);
});

test('runs on a GPU are kept beside those on a CPU, and the page has both', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ftft-bench-'));
  const both = [result('leak', [row([1], [2])]), result('leak', [row([1], [4])], {gpu: 'H100', tensorflow: 'gpu-2'})];
  for (const one of both) writeResult(folder, one);
  const read = readResults(folder);
  assert.equal(read.length, 2);
  const page = reportPage(read, ['leak']);
  assert.doesNotMatch(page, /No run on a GPU|Not measured/);
  assert.ok(page.indexOf('2.00') < page.indexOf('# On a GPU') && page.lastIndexOf('4.00') > page.indexOf('# On a GPU'));
  assert.match(page, /leak on a GPU, 32 x 128 \(4\.00\)/);
  rmSync(folder, {recursive: true});
});

test('a run on a machine that was not quiet is told so', () => {
  const page = (share: number) => reportPage([{...result('leak', [row([1], [2])]), othersShare: share}], ['leak']);
  assert.match(page(0.21), /not quiet: others used 21\.0 %/);
  assert.match(page(0.01), /Others used 1\.0 % of the processors meanwhile/);
  assert.doesNotMatch(page(0.01), /not quiet/);
});

test('a cell cannot break the Markdown table', () => {
  const table = markdownTable([{...row([1], [2]), what: 'a|b'}]).split('\n');
  assert.equal(table.length, 3);
  assert.match(table[2], /^\| a\\\|b \|/);
});

test('a kept command says how to repeat it, not where the results went', () => {
  assert.equal(commandLine([]), 'npm run bench');
  assert.equal(commandLine(['train', '--results', '/somewhere', '--rounds', '3']), 'npm run bench -- train --rounds 3');
  assert.equal(commandLine(['leak', '--results=/somewhere']), 'npm run bench -- leak');
});
