// The picture of a data map: a file of its own that shows every instance, the regions, the selection and the axes.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {parseHTML} from 'linkedom';
import type {DataMapColumns} from '../../src/cli/data-map-columns.js';
import {plotDataMap} from '../../src/cli/data-map-plot.js';

function columnsOf(numInstances: number): DataMapColumns {
  const indices = Array.from({length: numInstances}, (_, i) => i);
  return {
    guids: indices.map(i => `i${i}`),
    confidence: indices.map(i => (i % 101) / 100),
    variability: indices.map(i => (i % 59) / 118),
    correctness: indices.map(i => i % 5),
    forgettingEvents: indices.map(() => 0),
    isSelected: indices.map(i => i % 3 === 0),
    score: [],
    metrics: new Map(),
  };
}

const options = {
  title: 'Data map <of> demo',
  subtitle: '300 instances',
  numEpochs: 4,
  selection: 'ambiguous third',
  threshold: 0.25,
};

async function draw(columns: DataMapColumns, more = {}) {
  const svg = await plotDataMap(columns, {...options, ...more});
  return {svg, root: parseHTML(svg.replace(/^<\?xml.*\n/, '')).document.documentElement};
}

test('every instance is a point, and the selected ones are set apart', async () => {
  const {root} = await draw(columnsOf(300));
  assert.equal(root.querySelectorAll('g.selected circle').length, 100);
  assert.equal(root.querySelectorAll('g.others circle').length, 200);
});

test('a point lies at its variability and confidence, right and up', async () => {
  const columns = {
    ...columnsOf(3),
    variability: [0, 0.1, 0.4],
    confidence: [0.1, 0.9, 0.5],
    isSelected: [true, true, true],
  };
  const {root} = await draw(columns);
  const [first, second, third] = [...root.querySelectorAll('g.selected circle')].map(circle => ({
    x: Number(circle.getAttribute('cx')),
    y: Number(circle.getAttribute('cy')),
  }));
  assert.ok(first.x < second.x && second.x < third.x);
  assert.ok(second.y < third.y && third.y < first.y, 'confidence grows upwards');
});

test('correctness has one colour a value, the same in points and legend', async () => {
  const {root} = await draw(columnsOf(300));
  const fills = new Set(
    [...root.querySelectorAll('g.selected circle, g.others circle')].map(circle => circle.getAttribute('fill')),
  );
  assert.equal(fills.size, 5);
  const legend = [...root.querySelectorAll('svg > circle')].map(circle => circle.getAttribute('fill'));
  for (const fill of fills) assert.ok(legend.includes(fill), `${fill}`);
});

test('regions, axes, title and legend are written', async () => {
  const {root} = await draw(columnsOf(300));
  const texts = [...root.querySelectorAll('text')].map(text => text.textContent);
  for (const text of [
    'ambiguous',
    'hard-to-learn',
    'easy-to-learn',
    'Data map <of> demo',
    'ambiguous third',
    '4 of 4',
    'correctness',
  ])
    assert.ok(texts.includes(text), text);
  assert.ok(
    texts.some(text => text?.startsWith('variability (')) && texts.some(text => text?.startsWith('confidence (')),
  );
});

test('a screen reader is told what the picture is', async () => {
  const {root} = await draw(columnsOf(10));
  assert.equal(root.firstElementChild?.localName, 'title');
  assert.equal(root.firstElementChild?.textContent, 'Data map <of> demo: 300 instances');
});

test('the file stands alone: declared, white, without script, link or undefined number', async () => {
  const {svg} = await draw(columnsOf(300));
  assert.match(svg, /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  assert.equal(svg.match(/xmlns=/g)?.length, 1);
  assert.match(svg, /<rect width="\d+" height="\d+" fill="white"/);
  assert.doesNotMatch(svg, /<script|href=|NaN|undefined|Infinity/);
  assert.match(svg, /Data map &lt;of&gt; demo/);
});

test('8,000 instances stay below 600 KB', async () => {
  const {svg} = await draw(columnsOf(8000));
  assert.ok(svg.length < 600_000, `${svg.length}`);
});

test('instances whose variability is not defined, and a map without a threshold, are no failure', async () => {
  const columns = columnsOf(30);
  columns.variability[3] = Number.NaN;
  const {root, svg} = await draw(columns, {threshold: undefined});
  assert.equal(root.querySelectorAll('g.selected circle, g.others circle').length, 29);
  assert.doesNotMatch(svg, /NaN/);
});
