import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {readConfig} from '../../src/config.js';

const folder = join(readConfig(process.env).cacheDir, 'demo-data');
const read = (name: string): {uid: string; text: string; label: string}[] =>
  readFileSync(join(folder, `${name}.jsonl`), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));

test('the demo data have the sizes of the recipe, in distribution and out of it', () => {
  const names = ['train', 'test_movie', 'ood_amazon', 'ood_tweets', 'ood_nyt'];
  assert.deepEqual(
    names.map(name => read(name).length),
    [8000, 2000, 2977, 3432, 2931],
  );
});

test('no text of the movie reviews is trained on and tested on', () => {
  const movie = [...read('train'), ...read('test_movie')];
  assert.equal(new Set(movie.map(({text}) => text)).size, movie.length);
  assert.equal(new Set(movie.map(({uid}) => uid)).size, movie.length);
});

test('every demo instance has a text and one of two labels, and both labels are common', () => {
  for (const name of ['train', 'test_movie', 'ood_amazon', 'ood_tweets', 'ood_nyt']) {
    const rows = read(name);
    assert.ok(rows.every(({text}) => text.trim() === text && text !== ''));
    assert.deepEqual(new Set(rows.map(({label}) => label)), new Set(['positive', 'negative']));
    const share = rows.filter(({label}) => label === 'positive').length / rows.length;
    assert.ok(share > 0.3 && share < 0.75, `${name}: ${share} are positive`);
  }
});

test('the demo data say where they come from and under which licence', () => {
  assert.match(readFileSync(join(folder, 'README.md'), 'utf8'), /Hutto and Eric Gilbert/);
  assert.match(readFileSync(join(folder, 'LICENSE'), 'utf8'), /MIT License/);
});
