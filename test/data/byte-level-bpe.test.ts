import assert from 'node:assert/strict';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {merged, readMerges} from '../../src/data/bpe-merges.js';
import {byteLevelBpe} from '../../src/data/byte-level-bpe.js';
import {loadTokenizer} from '../../src/data/tokenizer.js';
import {temporaryFolder} from './model-folder.js';
import {byteLevelJson, byteLevelVocabulary, merges} from './tokenizer-files.js';

async function fromJson(t: TestContext, change: object = {}, config: object = {}) {
  const folder = await temporaryFolder(t);
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify({...byteLevelJson, ...change}));
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
  return loadTokenizer(folder);
}

async function fromVocabulary(t: TestContext) {
  const folder = await temporaryFolder(t);
  writeFileSync(join(folder, 'vocab.json'), JSON.stringify(byteLevelVocabulary));
  writeFileSync(join(folder, 'merges.txt'), `#version: 0.2\n${merges.join('\n')}\n`);
  return loadTokenizer(folder);
}

const names = Object.keys(byteLevelVocabulary);
const spelt = (ids: number[]) => ids.map(id => names[id]).join(' ');

test('a pair stands as <s> a </s></s> b </s> with token types of 0, from either kind of files', async t => {
  const tokenizers = [
    await fromJson(t),
    await fromVocabulary(t),
    await fromJson(t, {
      post_processor: null,
      model: {...byteLevelJson.model, type: 'BPE', merges: merges.map(pair => pair.split(' '))},
    }),
  ];
  for (const tokenizer of tokenizers) {
    const {ids, secondStart} = tokenizer.encode('ab', 'c abé', 32);
    assert.equal(spelt(ids), '<s> ab </s> </s> c Ġab Ã© </s>');
    assert.equal(secondStart, ids.length);
    assert.equal(tokenizer.padTokenId, 1);
    assert.equal(tokenizer.vocabSize, names.length);
  }
});

test('<mask> takes the space before it, other special tokens do not; both are found before words are split', async t => {
  for (const tokenizer of [await fromJson(t), await fromVocabulary(t)]) {
    assert.equal(
      spelt(tokenizer.encode('ab  <mask> c</s> a<s>', undefined, 32).ids),
      '<s> ab <mask> Ġ c </s> Ġ a <s> </s>',
    );
  }
});

test('add_prefix_space of the config begins every text with a space', async t => {
  const tokenizer = await fromJson(t, {}, {add_prefix_space: true});
  assert.equal(spelt(tokenizer.encode('ab', ' ab', 32).ids), '<s> Ġab </s> </s> Ġab </s>');
  assert.equal(spelt(tokenizer.encode('', undefined, 32).ids), '<s> </s>');
});

test('bytes that the vocabulary lacks are left out, or unknown where the model has a token for it', async t => {
  assert.equal(spelt((await fromJson(t)).encode('aZb', undefined, 32).ids), '<s> ab </s>');
  const model = {...byteLevelJson.model, unk_token: '<unk>'};
  assert.equal(spelt((await fromJson(t, {model})).encode('aZb', undefined, 32).ids), '<s> a <unk> b </s>');
});

test('of the pairs of a word the lowest rank is merged first, of equal ones the leftmost', () => {
  const vocabulary = new Map(['a', 'b', 'c', 'bc', 'ab', 'aa', 'aab'].map((token, id) => [token, id]));
  const ranked = readMerges('merges.txt', ['b c', 'a b', ['a', 'a'], 'aa b'], vocabulary);
  const merge = (word: string) =>
    merged(
      [...word].map(letter => vocabulary.get(letter)!),
      ranked,
    )
      .map(id => [...vocabulary.keys()][id])
      .join(' ');
  assert.equal(merge('abc'), 'a bc');
  assert.equal(merge('aaab'), 'aa ab');
  assert.equal(merge('aaaaa'), 'aa aa a');
  assert.equal(merge('caabcab'), 'c aa bc ab');
});

/** One merge after the other, each of them by looking at every pair. */
function mergedSlowly(symbols: number[], {ranks, results}: ReturnType<typeof readMerges>): number[] {
  const rest = [...symbols];
  for (;;) {
    let [best, at] = [Number.POSITIVE_INFINITY, -1];
    for (let i = 0; i + 1 < rest.length; i++) {
      const rank = ranks.get(rest[i] * 2 ** 24 + rest[i + 1]) ?? Number.POSITIVE_INFINITY;
      if (rank < best) [best, at] = [rank, i];
    }
    if (at < 0) return rest;
    rest.splice(at, 2, results[best]);
  }
}

test('merging with a queue gives what merging pair by pair gives', () => {
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  for (let round = 0; round < 200; round++) {
    const tokens = ['a', 'b', 'c'];
    const pairs: string[][] = [];
    while (pairs.length < 25) {
      const pair = [tokens[random(tokens.length)], tokens[random(tokens.length)]];
      if (pairs.some(([left, right]) => left === pair[0] && right === pair[1])) continue;
      pairs.push(pair);
      if (!tokens.includes(pair.join(''))) tokens.push(pair.join(''));
    }
    const ranked = readMerges('merges.txt', pairs, new Map(tokens.map((token, id) => [token, id])));
    const word = Array.from({length: random(40)}, () => random(3));
    assert.deepEqual(merged([...word], ranked), mergedSlowly(word, ranked));
  }
});

test('words are letters, numbers or marks with the space before them; a contraction is a word of its own', () => {
  const letters = [..."Ġabcdest!1Ċ'"];
  const tokenize = byteLevelBpe({
    vocabulary: new Map(letters.map((letter, id) => [letter, id])),
    merges: {ranks: new Map(), results: []},
    addsPrefixSpace: false,
  });
  // It stops behind the word that reaches maxTokens, so that one token more at a time shows the words one by one.
  const words = (text: string) => {
    const ends = new Set<number>();
    const ids: number[] = [];
    for (let most = 1; most <= text.length; most++) {
      ids.length = 0;
      tokenize(text, ids, most);
      ends.add(ids.length);
    }
    const spelling = ids.map(id => letters[id]);
    return [...ends].map((end, i, all) => spelling.slice(all[i - 1] ?? 0, end).join(''));
  };
  assert.deepEqual(words("abc 11a  b! 's't \n e"), ['abc', 'Ġ11', 'a', 'Ġ', 'Ġb', '!', "Ġ'", 's', "'t", 'ĠĊ', 'Ġe']);
});

test('a word of a million letters takes a moment, as a million spaces do', async t => {
  const tokenizer = await fromJson(t);
  assert.equal(tokenizer.encode('ab'.repeat(500_000), undefined, 2_000_000).ids.length, 500_002);
  assert.equal(tokenizer.encode(`${' '.repeat(1_000_000)}a`, undefined, 2_000_000).ids.length, 1_000_003);
});
