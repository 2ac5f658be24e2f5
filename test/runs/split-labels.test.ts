// A split's file → its labels, with and without the column beside it.
import assert from 'node:assert/strict';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {test} from 'node:test';
import {FileStore} from '../../src/runs/file-store.js';
import {splitFileBytes} from '../../src/runs/split-file.js';
import {splitLabels} from '../../src/runs/split-labels.js';
import {temporaryFolder} from './support/open-runs.js';

const examples = Array.from({length: 2500}, (_, i) => ({uid: `i${i}`, label: i % 3, text: `text ${i}`}));
const expected = Int32Array.from(examples, ({label}) => label);

async function withSplit(t: Parameters<typeof temporaryFolder>[0]) {
  const store = new FileStore(await temporaryFolder(t), '.jsonl', 'owner');
  const sha256 = await store.put(splitFileBytes(examples));
  return {file: store.path(sha256), sha256};
}

test('labels come from the split once, and then from the column beside it', async t => {
  const split = await withSplit(t);
  assert.deepEqual(await splitLabels(split), expected);
  assert.ok(existsSync(`${split.file}.labels`));
  writeFileSync(split.file, 'not read again');
  assert.deepEqual(await splitLabels(split), expected);
});

test('a column that is damaged, cut off or of another split is not believed', async t => {
  const split = await withSplit(t);
  await splitLabels(split);
  const beside = `${split.file}.labels`;
  const whole = readFileSync(beside);
  const damaged = Buffer.from(whole);
  damaged[damaged.length - 1] ^= 1;
  for (const bytes of [damaged, whole.subarray(0, -4), Buffer.alloc(0)]) {
    writeFileSync(beside, bytes);
    assert.deepEqual(await splitLabels(split), expected);
    assert.deepEqual(readFileSync(beside), whole, 'and is written anew');
  }
  await assert.rejects(splitLabels({...split, sha256: '0'.repeat(64)}), {details: {reason: 'DATASET_CORRUPT'}});
});
