// Tokenizer files of every kind, damaged at random 10,000 times each: they load and encode, or are refused in words; none crashes, hangs, or
// takes more memory than a file of its size could.
import assert from 'node:assert/strict';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {loadTokenizer} from '../../src/data/tokenizer.js';
import {FtftError} from '../../src/errors.js';
import {randomStream} from '../../src/random.js';
import {type Below, damage, damageJson, quickFolder} from './damage.js';
import {vocabulary} from './model-folder.js';
import {byteLevelJson, byteLevelVocabulary, merges, spmModel, unigramJson, wordPieceJson} from './tokenizer-files.js';

const numFiles = 10_000;
const text = 'ab Ab  é\u3000ﬁ <mask>[SEP] 漢字 x'.repeat(3);

type Files = Record<string, string | Uint8Array | object>;

/** The last of the files is damaged. */
const kinds: Record<string, Files> = {
  'tokenizer.json of WordPiece': {'tokenizer.json': wordPieceJson},
  'tokenizer.json of byte-level BPE': {'tokenizer.json': byteLevelJson},
  'tokenizer.json of unigram': {'tokenizer.json': unigramJson},
  'spm.model': {'spm.model': spmModel()},
  'vocab.txt': {'vocab.txt': vocabulary.join('\n')},
  'vocab.json': {'merges.txt': merges.join('\n'), 'vocab.json': byteLevelVocabulary},
  'merges.txt': {'vocab.json': byteLevelVocabulary, 'merges.txt': merges.join('\n')},
  'tokenizer_config.json': {
    'vocab.txt': vocabulary.join('\n'),
    'tokenizer_config.json': {
      do_lower_case: true,
      cls_token: {content: '[CLS]'},
      strip_accents: null,
      unk_token: '[UNK]',
    },
  },
};

for (const [kind, files] of Object.entries(kinds))
  test(`damaged ${kind}`, async t => {
    const folder = await quickFolder(t);
    const random = randomStream(13, 'data');
    const below: Below = n => Math.floor(random() * n);
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), bytesOf(content));
    const [name, whole] = Object.entries(files).at(-1)!;
    const memory = process.resourceUsage().maxRSS;
    let [numRefused, slowest] = [0, 0];
    for (let i = 0; i < numFiles; i++) {
      const isJson = typeof whole === 'object' && !(whole instanceof Uint8Array);
      const content = isJson && i % 2 ? bytesOf(damageJson(whole, below) as object) : damage(bytesOf(whole), below);
      writeFileSync(join(folder, name), content);
      const start = performance.now();
      try {
        const tokenizer = await loadTokenizer(folder);
        const {ids} = tokenizer.encode(text, text, 40);
        assert.ok(ids.length <= 40 && ids.every(id => Number.isInteger(id) && id >= 0 && id < tokenizer.vocabSize));
      } catch (error) {
        if (!isClear(error)) throw new Error(`file ${i}: ${content.toString('base64')}`, {cause: error});
        numRefused++;
      }
      slowest = Math.max(slowest, performance.now() - start);
    }
    assert.ok(numRefused > numFiles / 10 && numRefused < numFiles, `${numRefused} of ${numFiles} were refused`);
    assert.ok(slowest < 5000, `one took ${slowest} ms`);
    assert.ok(process.resourceUsage().maxRSS - memory < 512 << 10, 'in KiB');
  });

const bytesOf = (content: string | Uint8Array | object): Buffer =>
  typeof content === 'string' || content instanceof Uint8Array
    ? Buffer.from(content as string)
    : Buffer.from(JSON.stringify(content));

function isClear(error: unknown): boolean {
  return (
    error instanceof FtftError &&
    /MODEL_INVALID|NOT_SUPPORTED/.test(error.details.reason ?? '') &&
    error.message.length < 1000
  );
}
