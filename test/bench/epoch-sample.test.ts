import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {sampleEpoch} from '../../bench/epoch-sample.js';
import {paddedBatch, raggedBatch} from '../../bench/workers/protocol.js';
import {padBatch} from '../../src/data/batches.js';
import type {TokenizedDataset} from '../../src/data/types.js';

/** Instance i has 2 + (i mod 5) tokens, of which the first is 100 + i. */
function numbered(count: number): TokenizedDataset {
  const rows = Array.from({length: count}, (_, i) => [100 + i, ...new Array(1 + (i % 5)).fill(7)]);
  const offsets = [0];
  for (const row of rows) offsets.push(offsets[offsets.length - 1] + row.length);
  return {
    inputIds: Int32Array.from(rows.flat()),
    offsets: Int32Array.from(offsets),
    secondStarts: Int32Array.from(rows, row => row.length - 1),
    labels: Int32Array.from(rows, (_, i) => i % 3),
    numClasses: 3,
    padTokenId: 0,
  };
}

test('a sample is of whole batches, no instance twice, and the same each time', () => {
  const dataset = numbered(70);
  const sample = sampleEpoch(dataset, {batchSize: 8, count: 5, seed: 0});
  assert.deepEqual(sample, sampleEpoch(dataset, {batchSize: 8, count: 5, seed: 0}));
  assert.equal(sample.batches.length, 5);
  const firsts = sample.batches.flatMap(({ids}) => ids.map(([first]) => first));
  assert.equal(new Set(firsts).size, 5 * 8);
  assert.notEqual(sample.digest, sampleEpoch(dataset, {batchSize: 8, count: 5, seed: 1}).digest);
});

test('an epoch that is shorter than the sample gives all its whole batches', () =>
  assert.equal(sampleEpoch(numbered(70), {batchSize: 8, count: 100, seed: 0}).batches.length, 8));

test('the share of real tokens is of batches padded to their longest', () => {
  const {batches, realShare} = sampleEpoch(numbered(16), {batchSize: 8, count: 2, seed: 0});
  const lengths = batches.map(({ids}) => ids.map(row => row.length));
  const real = lengths.flat().reduce((sum, length) => sum + length, 0);
  const padded = lengths.reduce((sum, rows) => sum + 8 * Math.max(...rows), 0);
  assert.equal(realShare, real / padded);
});

test('what is sent to a side is padded there to the batch that training would see', () => {
  const dataset = numbered(12);
  const instances = Int32Array.of(3, 11, 5);
  const expected = {...padBatch(dataset, instances), instances: Int32Array.of(0, 1, 2)};
  assert.deepEqual(paddedBatch(raggedBatch(dataset, instances)), expected);
});

test('the Python side pads to the same batch', () => {
  const ragged = raggedBatch(numbered(12), [3, 11, 5, 0]);
  const script =
    'import json, sys; from batches import padded; b = json.load(sys.stdin); print(json.dumps(padded(b["ids"], b["secondStarts"])))';
  const output = execFileSync('python3', ['-c', script], {
    cwd: fileURLToPath(new URL('../../bench/peers', import.meta.url)),
    env: {...process.env, PYTHONDONTWRITEBYTECODE: '1'},
    input: JSON.stringify(ragged),
    encoding: 'utf8',
  });
  const {inputIds, tokenTypeIds, attentionMask} = paddedBatch(ragged);
  const flat = (rows: number[][]) => Int32Array.from(rows.flat());
  const theirs = JSON.parse(output);
  assert.deepEqual(flat(theirs.input_ids), inputIds);
  assert.deepEqual(flat(theirs.token_type_ids), tokenTypeIds);
  assert.deepEqual(flat(theirs.attention_mask), attentionMask);
});
