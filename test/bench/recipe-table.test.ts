import assert from 'node:assert/strict';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {test} from 'node:test';
import {appendRow, fromBits, type RecipeRow, readRows, toBits} from '../../bench/recipe-results.js';
import {compareRecipes, overlap} from '../../bench/recipe-table.js';

const settings = {train: 8000, epochs: 4, layers: 3, data: '0123456789abcdef'};

const row = (seed: number, tweets: number, stage: RecipeRow['stage'] = 'erm'): RecipeRow => ({
  ...settings,
  stage,
  seed,
  precision: 'fp32',
  steps: 1000,
  instances: 8000,
  seconds: 1,
  accuracy: {movie: 0.85, amazon: 0.8, tweets, nyt: 0.75},
  machine: {cores: 2},
});

test('a stage is compared over the seeds that both sides have, in accuracy points', () => {
  const compared = compareRecipes([row(0, 0.7), row(1, 0.74), row(2, 0.1)], [row(0, 0.72), row(1, 0.7)]);
  assert.equal(compared.length, 4);
  const tweets = compared.find(({testSet}) => testSet === 'tweets')!;
  assert.deepEqual(tweets.seeds, [0, 1]);
  assert.ok(Math.abs(tweets.difference - 1) < 1e-9);
  assert.ok(tweets.isWithin);
});

test('means further apart than both limits are told so', () => {
  const [, , tweets] = compareRecipes([row(0, 0.7), row(1, 0.701)], [row(0, 0.72), row(1, 0.721)]);
  assert.equal(tweets.allowed, 1.5);
  assert.ok(!tweets.isWithin);
  const [, , noisy] = compareRecipes([row(0, 0.7), row(1, 0.66)], [row(0, 0.72), row(1, 0.68)]);
  assert.ok(noisy.allowed > 5 && noisy.isWithin);
});

test('a bit column gives back the instances it was made of', () => {
  const instances = Int32Array.of(0, 7, 8, 13);
  assert.equal(toBits(instances, 14), Buffer.of(0b10000001, 0b00100001).toString('base64'));
  assert.deepEqual(fromBits(toBits(instances, 14)), instances);
});

test('an overlap is the share of the first set that the second has', () =>
  assert.equal(overlap(Int32Array.of(1, 2, 3, 4), Int32Array.of(2, 4, 9)), 0.5));

test('rows of other settings are of another measurement', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ftft-bench-'));
  const file = join(folder, 'rows.jsonl');
  assert.deepEqual(readRows(file, settings), []);
  writeFileSync(file, `${JSON.stringify({...row(0, 0.7), data: 'other'})}\n`);
  appendRow(file, row(1, 0.7));
  assert.deepEqual(readRows(file, settings), [row(1, 0.7)]);
  rmSync(folder, {recursive: true});
});
