import assert from 'node:assert/strict';
import {copyFileSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {evaluationBatches} from '../../src/data/batches.js';
import {loadTokenizer} from '../../src/data/tokenizer.js';
import {framed, truncateLongestFirst} from '../../src/data/tokenizer-frame.js';
import {needsShared, sharedPath} from '../support/shared.js';
import {ftftError, modelFolder, temporaryFolder, vocabulary} from './model-folder.js';
import {wordPieceJson} from './tokenizer-files.js';

interface Case {
  text: string;
  pair: string | null;
  out: Record<string, {input_ids: number[]; token_type_ids?: number[]}>;
}

/** Every case of the parity kit, at every length; RoBERTa's have no token types, which are all 0. */
async function passesGolden(name: string, folder = sharedPath('golden', 'tokenizers', name)): Promise<void> {
  const golden = JSON.parse(readFileSync(sharedPath('golden', 'tokenizers', name, 'cases.json'), 'utf8'));
  const tokenizer = await loadTokenizer(folder);
  assert.equal(tokenizer.vocabSize, golden.vocab_size);
  assert.equal(tokenizer.padTokenId, golden.special_ids.pad_token);
  assert.equal(golden.cases.length, 196);
  for (const {text, pair, out} of golden.cases as Case[]) {
    for (const [maxLength, expected] of Object.entries(out)) {
      const {ids, secondStart} = tokenizer.encode(text, pair ?? undefined, Number(maxLength));
      const types = ids.map((_, i) => (i < secondStart ? 0 : 1));
      assert.deepEqual(
        {ids, types},
        {ids: expected.input_ids, types: expected.token_type_ids ?? expected.input_ids.map(() => 0)},
        JSON.stringify([text, pair, maxLength]),
      );
    }
  }
}

for (const name of ['bert-wordpiece', 'wordpiece-cased-small', 'roberta-bpe', 'deberta-spm'])
  test(`${name} gives transformers' ids and token types in all cases of the parity kit`, {skip: needsShared}, () =>
    passesGolden(name),
  );

test('vocab.json and merges.txt give what the tokenizer.json of the same model gives', {skip: needsShared}, async t => {
  const folder = await temporaryFolder(t);
  for (const name of ['vocab.json', 'merges.txt'])
    copyFileSync(sharedPath('golden', 'tokenizers', 'roberta-bpe', name), join(folder, name));
  await passesGolden('roberta-bpe', folder);
});

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
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(wordPieceJson));
  const fromJson = await loadTokenizer(folder);
  // The oldest files name neither the model's type nor a post-processor.
  const {post_processor, ...old} = {...wordPieceJson, model: {...wordPieceJson.model, type: undefined}};
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(old));
  const fromOldJson = await loadTokenizer(folder);
  for (const tokenizer of [fromVocabulary, fromJson, fromOldJson]) {
    assert.deepEqual(tokenizer.encode('The CATS[MASK] dog', undefined, 32), {
      ids: [2, 5, 6, 7, 4, 1, 3],
      secondStart: 7,
    });
    assert.deepEqual(tokenizer.encode('the cat', 'cats', 32), {ids: [2, 5, 6, 3, 6, 7, 3], secondStart: 4});
    assert.deepEqual(tokenizer.encode('the', '', 32), {ids: [2, 5, 3], secondStart: 3});
  }
  assert.equal(new Set([fromVocabulary, fromJson, fromOldJson].map(({digest}) => digest)).size, 3);
});

test('a final sigma is lower-cased to the plain one, and ideographs beyond the BMP stand alone', async t => {
  const tokenizer = await loadTokenizer(await modelFolder(t));
  // U+2F800 decomposes to 丽, a word of the vocabulary, once it stands alone.
  assert.deepEqual(tokenizer.encode('ΣΣ the\u{2f800}the', undefined, 32).ids, [2, 8, 10, 5, 11, 5, 3]);
});

test("tokenizer_config.json wins over tokenizer.json's own normaliser", async t => {
  const folder = await temporaryFolder(t);
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(wordPieceJson));
  const {digest} = await loadTokenizer(folder);
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({do_lower_case: false}));
  const cased = await loadTokenizer(folder);
  assert.deepEqual(cased.encode('the THE', undefined, 32).ids, [2, 5, 1, 3]);
  assert.notEqual(cased.digest, digest, 'another behaviour has another digest');
});

test('special_tokens_map.json and added_tokens.json say what a vocabulary does not', async t => {
  const folder = await modelFolder(t);
  const ids = async (text: string) => (await loadTokenizer(folder)).encode(text, undefined, 32).ids;
  assert.deepEqual(await ids('the cat [X] the'), [2, 5, 6, 1, 1, 1, 5, 3]);
  writeFileSync(join(folder, 'added_tokens.json'), JSON.stringify({'[X]': 12}));
  assert.deepEqual(await ids('the cat [X] the'), [2, 5, 6, 12, 5, 3]);
  assert.equal((await loadTokenizer(folder)).vocabSize, 13);
  assert.deepEqual(await ids('cats ##s'), [2, 6, 7, 1, 1, 1, 3]);
  writeFileSync(
    join(folder, 'special_tokens_map.json'),
    JSON.stringify({cls_token: {content: 'cat'}, sep_token: 'σ', additional_special_tokens: ['##s', {content: '?'}]}),
  );
  assert.deepEqual(await ids('##s'), [6, 7, 8]);
  assert.deepEqual(await ids('the cat the'), [6, 5, 6, 5, 8]);
  // The config's own list wins over both, and has the rules of a token too.
  writeFileSync(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify({added_tokens_decoder: {12: {content: '[X]', single_word: true}, 13: {content: 'Y', rstrip: true}}}),
  );
  assert.deepEqual(await ids('the [X] Y  thes'), [2, 5, 12, 13, 5, 7, 3]);
});

test('a template says which special tokens stand where, and which token types they have', async t => {
  const folder = await temporaryFolder(t);
  const encode = async (change: object) => {
    writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify({...wordPieceJson, ...change}));
    return (await loadTokenizer(folder)).encode('the cat', 'cats', 8);
  };
  const {post_processor: template} = wordPieceJson;
  assert.deepEqual(await encode({post_processor: {type: 'BertProcessing', cls: ['a', 3], sep: ['b', 2]}}), {
    ids: [3, 5, 6, 2, 6, 7, 2],
    secondStart: 4,
  });
  assert.deepEqual(await encode({post_processor: {type: 'RobertaProcessing', cls: ['a', 2], sep: ['b', 3]}}), {
    ids: [2, 5, 6, 3, 3, 6, 7, 3],
    secondStart: 8,
  });
  const [classify, first, separate, second] = template.pair;
  const typed = (step: object, type_id: number) =>
    Object.fromEntries(Object.entries(step).map(([key, value]) => [key, {...value, type_id}]));
  const pair = [first, separate, typed(classify, 1), second];
  assert.deepEqual(await encode({post_processor: {...template, pair}}), {ids: [5, 6, 3, 2, 6, 7], secondStart: 3});
  const notSupported = ftftError('UNIMPLEMENTED', 'NOT_SUPPORTED', /not supported yet/);
  for (const wrong of [
    [first, second, separate],
    [typed(first, 1), second],
    [second, first],
    [first],
    [first, first],
    Array.from({length: 65}, () => separate),
  ])
    await assert.rejects(encode({post_processor: {...template, pair: wrong}}), notSupported);
});

test('the longer text is cut first; of equal ones the second keeps the odd token', () => {
  assert.deepEqual(truncateLongestFirst(3, 4, 7), [3, 4]);
  assert.deepEqual(truncateLongestFirst(2, 30, 7), [2, 5]);
  assert.deepEqual(truncateLongestFirst(30, 2, 7), [5, 2]);
  assert.deepEqual(truncateLongestFirst(9, 9, 7), [3, 4]);
  assert.deepEqual(truncateLongestFirst(10, 9, 7), [4, 3]);
  assert.deepEqual(truncateLongestFirst(9, 9, 0), [0, 0]);
});

test('where nothing but special tokens fits, they stay', () => {
  const frame = {before: [1], between: [2], after: [2], numFirstTypes: 1};
  assert.deepEqual(framed(frame, [[7], [8]], 1), {ids: [1, 2, 2], secondStart: 2});
});

test('words over 100 characters are unknown, and the same word again gives the same ids', async t => {
  const tokenizer = await loadTokenizer(await modelFolder(t));
  const text = `${'a'.repeat(101)} cats ${'cats'.repeat(20)} cats`;
  assert.deepEqual(tokenizer.encode(text, undefined, 32).ids, [2, 1, 6, 7, 1, 6, 7, 3]);
  assert.equal(vocabulary.indexOf('##s'), 7);
});
