import assert from 'node:assert/strict';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {charsmapNormalizer} from '../../src/data/charsmap.js';
import {readSentencePieceModel} from '../../src/data/sentencepiece-model.js';
import {loadTokenizer} from '../../src/data/tokenizer.js';
import {unigram} from '../../src/data/unigram.js';
import {ftftError, temporaryFolder} from './model-folder.js';
import {charsmap, pieces, spmModel, unigramJson} from './tokenizer-files.js';

async function fromFile(t: TestContext, name: string, content: string | Uint8Array, config: object = {}) {
  const folder = await temporaryFolder(t);
  writeFileSync(join(folder, name), content);
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
  return loadTokenizer(folder);
}

const names = [...pieces.map(([piece]) => piece), '[MASK]'];
const spelt = (ids: number[]) => ids.map(id => names[id]).join(' ');

test('spm.model and tokenizer.json of DeBERTa give the same, in which unknown characters side by side are one token', async t => {
  const tokenizers = [
    await fromFile(t, 'spm.model', spmModel(), {do_lower_case: false, vocab_type: 'spm'}),
    await fromFile(t, 'tokenizer.json', JSON.stringify(unigramJson)),
  ];
  for (const tokenizer of tokenizers) {
    assert.equal(tokenizer.vocabSize, 15);
    assert.equal(tokenizer.padTokenId, 0);
    const single = (text: string) => spelt(tokenizer.encode(text, undefined, 32).ids);
    assert.deepEqual(tokenizer.encode('ab', 'b', 32), {ids: [1, 5, 8, 2, 5, 7, 2], secondStart: 4});
    assert.equal(single('ab abA'), '[CLS] ▁ ab ▁ ab [UNK] [SEP]');
    assert.equal(single('xyz 日本b'), '[CLS] ▁ [UNK] ▁ [UNK] b [SEP]', 'bytes are no way out, fused ones are one');
    assert.equal(single('  ab  \t a '), '[CLS] ▁ ab ▁a [SEP]');
    assert.equal(single('a▁b'), '[CLS] ▁a ▁ b [SEP]', 'the sign for a space is a space');
    assert.equal(single('a[MASK]b[SEP] [UNK]'), '[CLS] ▁a [MASK] ▁ b [SEP] [UNK] [SEP]');
    assert.equal(single('ﬁ e\u0301'), '[CLS] ▁fi ▁ é [SEP]');
    assert.equal(single('<0x41>'), '[CLS] ▁ <0x41> [SEP]', 'as the fast tokenizers have it');
    assert.equal(single(' \t\u3000'), '[CLS] [SEP]');
    assert.equal(single('a\u200b'), '[CLS] ▁a [SEP]');
  }
});

test('[UNK] of a tokenizer.json is found in the normalised text, where its file says so', async t => {
  const entries = {'［': '[', '］': ']'};
  const normalizer = {type: 'Precompiled', precompiled_charsmap: charsmap(entries).toString('base64')};
  const tokenizer = await fromFile(t, 'tokenizer.json', JSON.stringify({...unigramJson, normalizer}));
  assert.equal(spelt(tokenizer.encode('a［UNK］b［MASK］', undefined, 32).ids), '[CLS] ▁a [UNK] ▁ b [UNK] [SEP]');
});

test('do_lower_case of the config holds for an spm.model; a mask among the pieces keeps its id', async t => {
  const withMask = spmModel({pieces: [...pieces, ['A', -1], ['[MASK]', -9]]});
  const cased = await fromFile(t, 'spm.model', withMask);
  assert.deepEqual(cased.encode('A[MASK]', undefined, 9).ids, [1, 5, 14, 15, 2]);
  assert.equal(cased.vocabSize, 16);
  const uncased = await fromFile(t, 'spm.model', withMask, {do_lower_case: true});
  assert.deepEqual(uncased.encode('A[MASK]', undefined, 9).ids, [1, 10, 15, 2]);
});

test('the likeliest pieces are found, the first of equal ones, and ten less than the worst for what is unknown', () => {
  const vocabulary = ['?', '▁', 'a', 'b', 'ab', 'aba', 'ba', '\u{1f600}'];
  const tokenize = (scores: number[], text: string) => {
    const ids: number[] = [];
    unigram('spm.model', {pieces: vocabulary, scores, unknownId: 0})(text, ids, 99);
    return ids.map(id => vocabulary[id]).join(' ');
  };
  assert.equal(tokenize([0, 0, -3, -3, -5, -8, -5, -1], 'aba'), '▁ aba', 'reached first with -8, ab a is no better');
  assert.equal(tokenize([0, 0, -3, -3, -5, -9, -5, -1], 'aba'), '▁ a ba', 'as good as ab a, and reached before');
  assert.equal(tokenize([0, 0, -3, -3, -5, -9, -5.5, -1], 'aba'), '▁ ab a');
  assert.equal(tokenize([0, 0, -3, -1, -5, -9, -4.5, -1], 'aba'), '▁ a b a');
  assert.equal(tokenize([0, 0, -3, -3, -5, -8, -5, -1], 'x\u{1f600}y\u{1f601}z'), '▁ ? \u{1f600} ?');
  assert.equal(tokenize([0, 0, -3, -3, -5, -8, -5, -1], ''), '');
  const only = (others: Record<string, number>, text: string) => {
    const ids: number[] = [];
    const [known, scores] = [Object.keys(others), Object.values(others)];
    unigram('spm.model', {pieces: ['?', ...known], scores: [0, ...scores], unknownId: 0})(text, ids, 99);
    return ids.map(id => ['?', ...known][id]).join(' ');
  };
  assert.equal(only({'▁': 0, ab: -5, bc: -1}, 'abc'), '▁ ? bc', 'a character that only begins a piece may be unknown');
  assert.equal(only({'▁': 0, abc: -8, bc: 5}, 'abc'), '▁ abc', '-8 is more than 5 - 8 - 10');
  assert.equal(only({'▁': 0, b: -1, ' b': 0}, 'b'), '▁ b', 'a piece with a space in it is nowhere');
});

test('a cluster of at most five bytes is replaced as a whole by its shortest prefix in the table, as Rust does', () => {
  const entries = {
    ﬁ: 'fi',
    é: '<e>',
    'e\u0301': 'é',
    'a\u0301': 'á',
    'a\u0301\u0302': '!',
    '\r': ' ',
    '\0x': '?',
    '\u0d4e': 'P',
    x: 'y',
  };
  const normalize = charsmapNormalizer('spm.model', charsmap({...entries, '①': '1', '\u{1f600}': ':)'}));
  assert.equal(normalize('ﬁn ①x'), 'fin 1y');
  assert.equal(normalize('ﬁ\u0301'), 'fi', 'five bytes: the accent is lost');
  assert.equal(normalize('\u{1f600}\u0301'), ':)\u0301', 'six bytes: character by character');
  assert.equal(normalize('e\u0301 e'), 'é e');
  assert.equal(normalize('a\u0301\u0302'), 'á');
  assert.equal(normalize('x\u0e33 x\u{1f3fd}'), 'y y', 'a vowel and a skin tone that join the character before');
  assert.equal(normalize('\u0d4ex \u0d4e'), 'P P', 'a prefix that joins the character behind it');
  assert.equal(normalize('x\u0301①x\u0301'), 'y1y');
  assert.equal(normalize('a\r\nb'), 'a b');
  assert.equal(normalize('\0x日本'), '\0y日本');
  assert.equal(normalize('plain ASCII'), 'plain ASCII');
  assert.equal(charsmapNormalizer('spm.model', charsmap({'\r\n': 'n'}))('\r\n\n'), 'n\n');
});

test('a table that is cut off, leads out of itself or holds no UTF-8 is refused', () => {
  const whole = charsmap({ﬁ: 'fi', é: 'e'});
  const isInvalid = (message: RegExp) => ftftError('FAILED_PRECONDITION', 'MODEL_INVALID', message);
  for (const length of [0, 3, 4, 1000])
    assert.throws(() => charsmapNormalizer('spm.model', whole.subarray(0, length)), isInvalid(/must hold its trie/));
  const trieBytes = whole.readUInt32LE(0);
  const changed = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(whole);
    change(bytes);
    return () => charsmapNormalizer('spm.model', bytes)('ﬁ é');
  };
  assert.throws(
    changed(bytes => bytes.writeUInt32LE(6, 0)),
    isInvalid(/must hold its trie/),
  );
  assert.throws(
    changed(bytes => bytes.fill(0xff, 4 + trieBytes)),
    isInvalid(/by UTF-8/),
  );
  // Every value of the trie, and then every way to a child, leads far away.
  assert.throws(
    changed(bytes => {
      for (let at = 4; at < 4 + trieBytes; at += 4) if (bytes[at + 3] >= 0x80) bytes.writeUInt32LE(0xffffffff, at);
    }),
    isInvalid(/lead out of itself/),
  );
  const lost = changed(bytes => bytes.writeUInt32LE(0xfffffc00, 4));
  assert.equal(lost(), 'ﬁ é', 'a way that leads nowhere is none');
});

test('an spm.model is read as protobuf has it: unknown fields skipped, defaults where nothing stands', () => {
  const model = readSentencePieceModel('spm.model', spmModel());
  assert.deepEqual(
    model.pieces,
    pieces.map(([piece]) => piece),
  );
  assert.deepEqual(
    model.scores,
    pieces.map(([, score]) => score),
  );
  assert.deepEqual(model.symbolIds, [0, 1, 2]);
  assert.equal(model.unknownId, 3);
  assert.deepEqual(Buffer.from(model.charsmap), charsmap());
  const least = readSentencePieceModel('spm.model', Buffer.from('0a030a0161', 'hex'));
  assert.deepEqual(
    {...least, charsmap: least.charsmap.length},
    {pieces: ['a'], scores: [0], symbolIds: [], unknownId: 0, charsmap: 0},
  );
});

test('a text of a million characters without a space takes a moment', async t => {
  const tokenizer = await fromFile(t, 'spm.model', spmModel());
  assert.equal(tokenizer.encode('ab'.repeat(500_000), undefined, 2_000_000).ids.length, 500_003);
});
