import assert from 'node:assert/strict';
import {mkdirSync, readdirSync, truncateSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {loadTokenizer} from '../../src/data/tokenizer.js';
import {tokenize} from '../../src/pipeline/tokenize.js';
import {FileStore} from '../../src/runs/file-store.js';
import {newOwner} from '../../src/runs/owner.js';
import {splitFileBytes} from '../../src/runs/split-file.js';
import {loadTokens} from '../../src/runs/tokens.js';
import {runsOptions, temporaryFolder} from './support/open-runs.js';

const examples = Array.from({length: 4100}, (_, i) => ({
  uid: `${i}`,
  text: 'the cats '.repeat(i % 4),
  textPair: undefined,
  label: i % 2,
}));

test('tokenised columns equal those of one piece, are read from the cache, and are made anew when that is damaged', async t => {
  const folder = await temporaryFolder(t);
  const {modelDir} = await runsOptions(folder);
  const tokenizer = await loadTokenizer(join(modelDir, 'tiny'));
  mkdirSync(join(folder, 'splits'));
  const files = new FileStore(join(folder, 'splits'), '.jsonl', newOwner());
  const sha256 = await files.put(splitFileBytes(examples));
  const source = {split: 'train', isOutOfDistribution: false, file: files.path(sha256), sha256};
  const whole = tokenize(examples, tokenizer, {maxLength: 6, numClasses: 2});
  let calls = 0;
  const counting = {
    ...tokenizer,
    encode: (...parameters: Parameters<typeof tokenizer.encode>) => {
      calls++;
      return tokenizer.encode(...parameters);
    },
  };
  const load = (maxLength = 6) =>
    loadTokens(source, counting, {folder: join(folder, 'tokens'), maxLength, numClasses: 2});
  assert.deepEqual(await load(), whole);
  assert.equal(calls, 4100);
  assert.deepEqual(await load(), whole);
  assert.equal(calls, 4100, 'the second time they are read');
  truncateSync(join(folder, 'tokens', readdirSync(join(folder, 'tokens'))[0]), 1000);
  assert.deepEqual(await load(), whole);
  assert.equal(calls, 8200);
  await load(5);
  assert.equal(calls, 12_300, 'another length is another file');
});

test('a disk that is full while a file is written gives DISK_FULL and leaves no file', async t => {
  const folder = await temporaryFolder(t);
  const files = new FileStore(folder, '.jsonl', newOwner());
  function* chunks(): Generator<Buffer> {
    yield Buffer.alloc(9);
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), {code: 'ENOSPC'});
  }
  await assert.rejects(files.put(chunks()), {code: 'RESOURCE_EXHAUSTED', details: {reason: 'DISK_FULL'}});
  const left = readdirSync(folder, {recursive: true, withFileTypes: true}).filter(entry => entry.isFile());
  assert.deepEqual(left, []);
});
