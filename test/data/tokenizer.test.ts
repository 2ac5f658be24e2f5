import assert from 'node:assert/strict';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {evaluationBatches} from '../../src/data/batches.js';
import {loadTokenizer, truncateLongestFirst} from '../../src/data/tokenizer.js';
import {needsShared, sharedPath} from '../support/shared.js';
import {ftftError, modelFolder, temporaryFolder, vocabulary} from './model-folder.js';

interface Case {
  text: string;
  pair: string | null;
  out: Record<string, {input_ids: number[]; token_type_ids: number[]}>;
}

const tokenizerJson = {
  truncation: {max_length: 3, strategy: 'LongestFirst', stride: 0},
  padding: {strategy: {Fixed: 128}},
  added_tokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].map((content, id) => ({id, content, special: true})),
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: {type: 'BertPreTokenizer'},
  post_processor: {type: 'TemplateProcessing'},
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
  },
};

for (const name of ['bert-wordpiece', 'wordpiece-cased-small']) {
  test(`${name} gives transformers' ids and token types in all cases of the parity kit`, {
    skip: needsShared,
  }, async () => {
    const folder = sharedPath('golden', 'tokenizers', name);
    const golden = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
    const tokenizer = await loadTokenizer(folder);
    assert.equal(tokenizer.vocabSize, golden.vocab_size);
    assert.equal(golden.cases.length, 196);
    for (const {text, pair, out} of golden.cases as Case[]) {
      for (const [maxLength, expected] of Object.entries(out)) {
        const {ids, secondStart} = tokenizer.encode(text, pair ?? undefined, Number(maxLength));
        const types = ids.map((_, i) => (i < secondStart ? 0 : 1));
        assert.deepEqual(
          {input_ids: ids, token_type_ids: types},
          {input_ids: expected.input_ids, token_type_ids: expected.token_type_ids},
          JSON.stringify([text, pair, maxLength]),
        );
      }
    }
  });
}

test('a padded batch equals that of transformers', {skip: needsShared}, async () => {
  const folder = sharedPath('golden', 'tokenizers', 'bert-wordpiece');
  const {padded_batch: golden} = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
  const tokenizer = await loadTokenizer(folder);
  const encoded = (golden.texts as string[]).map(text => tokenizer.encode(text, undefined, golden.max_length));
  const offsets = [0];
  for (const {ids} of encoded) offsets.push(offsets.at(-1)! + ids.length);
  const dataset = {
    inputIds: Int32Array.from(encoded.flatMap(({ids}) => ids)),
    offsets: Int32Array.from(offsets),
    secondStarts: Int32Array.from(encoded, ({secondStart}) => secondStart),
    labels: new Int32Array(encoded.length),
    numClasses: 2,
    padTokenId: tokenizer.padTokenId,
  };
  const [batch] = evaluationBatches(dataset, encoded.length);
  batch.instances.forEach((instance, row) => {
    const slice = (column: Int32Array) => [...column.slice(row * batch.length, (row + 1) * batch.length)];
    assert.deepEqual(slice(batch.inputIds), golden.input_ids[instance]);
    assert.deepEqual(slice(batch.attentionMask), golden.attention_mask[instance]);
  });
});

test('vocab.txt and tokenizer.json give the same ids, whatever padding and truncation the latter has baked in', async t => {
  const fromVocabulary = await loadTokenizer(await modelFolder(t));
  const folder = await temporaryFolder(t);
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizerJson));
  const fromJson = await loadTokenizer(folder);
  for (const tokenizer of [fromVocabulary, fromJson]) {
    assert.deepEqual(tokenizer.encode('The CATS[MASK] dog', undefined, 32), {
      ids: [2, 5, 6, 7, 4, 1, 3],
      secondStart: 7,
    });
    assert.deepEqual(tokenizer.encode('the cat', 'cats', 32), {ids: [2, 5, 6, 3, 6, 7, 3], secondStart: 4});
    assert.deepEqual(tokenizer.encode('the', '', 32), {ids: [2, 5, 3], secondStart: 3});
  }
  assert.notEqual(fromVocabulary.digest, fromJson.digest);
});

test('a final sigma is lower-cased to the plain one, and ideographs beyond the BMP stand alone', async t => {
  const tokenizer = await loadTokenizer(await modelFolder(t));
  // U+2F800 decomposes to 丽, a word of the vocabulary, once it stands alone.
  assert.deepEqual(tokenizer.encode('ΣΣ the\u{2f800}the', undefined, 32).ids, [2, 8, 10, 5, 11, 5, 3]);
});

test("tokenizer_config.json wins over tokenizer.json's own normaliser", async t => {
  const folder = await temporaryFolder(t);
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizerJson));
  const {digest} = await loadTokenizer(folder);
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({do_lower_case: false}));
  const cased = await loadTokenizer(folder);
  assert.deepEqual(cased.encode('the THE', undefined, 32).ids, [2, 5, 1, 3]);
  assert.notEqual(cased.digest, digest, 'another behaviour has another digest');
});

test('the longer text is cut first; of equal ones the second keeps the odd token', () => {
  assert.deepEqual(truncateLongestFirst(3, 4, 7), [3, 4]);
  assert.deepEqual(truncateLongestFirst(2, 30, 7), [2, 5]);
  assert.deepEqual(truncateLongestFirst(30, 2, 7), [5, 2]);
  assert.deepEqual(truncateLongestFirst(9, 9, 7), [3, 4]);
  assert.deepEqual(truncateLongestFirst(10, 9, 7), [4, 3]);
  assert.deepEqual(truncateLongestFirst(9, 9, 0), [0, 0]);
});

test('tokenizer files that are missing, broken, too large or of another kind are refused by name', async t => {
  const folder = await temporaryFolder(t);
  const isInvalid = (message: RegExp) => ftftError('FAILED_PRECONDITION', 'MODEL_INVALID', message);
  await assert.rejects(loadTokenizer(folder), isInvalid(/must hold tokenizer.json or vocab.txt, found neither/));
  writeFileSync(join(folder, 'vocab.txt'), '[PAD]\n[UNK]\n[CLS]\n');
  await assert.rejects(loadTokenizer(folder), isInvalid(/must hold the sep_token "\[SEP\]"/));
  writeFileSync(join(folder, 'vocab.txt'), Buffer.alloc((16 << 20) + 1));
  await assert.rejects(loadTokenizer(folder), isInvalid(/vocab.txt: it must have at most 16777216 bytes/));
  writeFileSync(join(folder, 'vocab.txt'), Buffer.of(0xff));
  await assert.rejects(loadTokenizer(folder), isInvalid(/vocab.txt: it must be UTF-8/));
  for (const [content, error] of [
    ['{', isInvalid(/must be JSON/)],
    [
      JSON.stringify({...tokenizerJson, model: {...tokenizerJson.model, vocab: {a: -1}}}),
      isInvalid(/whole number.*found -1/),
    ],
    [
      JSON.stringify({...tokenizerJson, model: {type: 'BPE'}}),
      ftftError('UNIMPLEMENTED', 'NOT_SUPPORTED', /model "BPE" is not supported yet: expected WordPiece/),
    ],
    [
      JSON.stringify({...tokenizerJson, added_tokens: [{id: 12, content: '<x>', lstrip: true}]}),
      ftftError('UNIMPLEMENTED', 'NOT_SUPPORTED', /added token "<x>" with lstrip true/),
    ],
  ] as const) {
    writeFileSync(join(folder, 'tokenizer.json'), content);
    await assert.rejects(loadTokenizer(folder), error);
  }
});

test('a vocabulary file that is a folder is refused, not waited for', async t => {
  const folder = await temporaryFolder(t);
  mkdirSync(join(folder, 'vocab.txt'));
  await assert.rejects(
    loadTokenizer(folder),
    ftftError('FAILED_PRECONDITION', 'MODEL_INVALID', /must be a regular file/),
  );
});
