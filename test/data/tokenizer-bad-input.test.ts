import assert from 'node:assert/strict';
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {loadTokenizer} from '../../src/data/tokenizer.js';
import {FtftError} from '../../src/errors.js';
import {ftftError, modelFolder, temporaryFolder} from './model-folder.js';
import {
  byteLevelJson,
  byteLevelVocabulary,
  merges,
  pieces,
  spmModel,
  unigramJson,
  wordPieceJson,
} from './tokenizer-files.js';

const isInvalid = (message: RegExp) => ftftError('FAILED_PRECONDITION', 'MODEL_INVALID', message);
const isUnsupported = (message: RegExp) => ftftError('UNIMPLEMENTED', 'NOT_SUPPORTED', message);

/** The same folder with one file or several, and the error that they give. */
async function refuses(
  t: TestContext,
  cases: [files: Record<string, string | Uint8Array | object>, error: (error: unknown) => boolean][],
): Promise<void> {
  const folder = await temporaryFolder(t);
  for (const [files, error] of cases) {
    for (const [name, content] of Object.entries(files)) {
      const isRaw = typeof content === 'string' || content instanceof Uint8Array;
      writeFileSync(join(folder, name), isRaw ? content : JSON.stringify(content));
    }
    await assert.rejects(loadTokenizer(folder), error);
    for (const name of Object.keys(files)) rmSync(join(folder, name));
  }
}

test('a folder must hold the files of a tokenizer', async t => {
  const folder = await temporaryFolder(t);
  await assert.rejects(loadTokenizer(folder), isInvalid(/must hold tokenizer.json, spm.model.*found none of them/));
  writeFileSync(join(folder, 'vocab.json'), '{}');
  await assert.rejects(loadTokenizer(folder), isInvalid(/vocab.json: merges.txt must stand beside it/));
  mkdirSync(join(folder, 'vocab.txt'));
  await assert.rejects(loadTokenizer(folder), isInvalid(/must be a regular file/));
});

test('files that are too large or not UTF-8 are refused before they are used', t =>
  refuses(t, [
    [{'vocab.txt': Buffer.alloc((16 << 20) + 1)}, isInvalid(/vocab.txt: it must have at most 16777216 bytes/)],
    [{'spm.model': Buffer.alloc((32 << 20) + 1)}, isInvalid(/spm.model: it must have at most 33554432 bytes/)],
    [{'vocab.txt': Buffer.of(0xff)}, isInvalid(/vocab.txt: it must be UTF-8/)],
  ]));

test('a vocabulary must have the special tokens of its family', t =>
  refuses(t, [
    [{'vocab.txt': '[PAD]\n[UNK]\n[CLS]\n'}, isInvalid(/vocab.txt: it must hold the sep_token "\[SEP\]"/)],
    [{'vocab.json': '{"<s>": 0, "</s>": 1}', 'merges.txt': ''}, isInvalid(/must hold the pad_token "<pad>"/)],
    [{'spm.model': spmModel({pieces: pieces.slice(1)})}, isInvalid(/must hold the pad_token "\[PAD\]"/)],
    [
      {'tokenizer.json': {...wordPieceJson, model: {...wordPieceJson.model, unk_token: '?'}}},
      isInvalid(/unk_token "\?"/),
    ],
  ]));

test('ids must be whole numbers, each of one token', t => {
  const withVocabulary = (vocab: object) => ({
    'tokenizer.json': {
      ...wordPieceJson,
      model: {...wordPieceJson.model, vocab: {...wordPieceJson.model.vocab, ...vocab}},
    },
  });
  const withAdded = (...added_tokens: object[]) => ({'tokenizer.json': {...wordPieceJson, added_tokens}});
  return refuses(t, [
    [withVocabulary({a: -1}), isInvalid(/id of "a" must be a whole number below 16777216, found -1/)],
    [withVocabulary({a: 1.5}), isInvalid(/found 1.5/)],
    [withVocabulary({a: 16777216}), isInvalid(/found 16777216/)],
    [withVocabulary({a: '7'}), isInvalid(/found "7"/)],
    [withVocabulary({a: 7}), isInvalid(/id 7 must be of one token, found "##s" and "a"/)],
    [withAdded({id: 6, content: '<x>'}), isInvalid(/id 6 must be of one token, found "cat" and "<x>"/)],
    [withAdded({id: 12, content: 'cat'}), isInvalid(/token "cat" must have one id, found 6 and 12/)],
    [withAdded({id: 12, content: ''}), isInvalid(/1 to 1000 characters, found ""/)],
    [withAdded({id: 12, content: 'x'.repeat(1001)}), isInvalid(/1 to 1000 characters/)],
    [withAdded({content: '<x>'}), isInvalid(/id of added token "<x>" must be a whole number/)],
    [withAdded({id: 12, content: '<x>', lstrip: 1}), isInvalid(/lstrip of added token "<x>" must be true or false/)],
    [
      {'tokenizer.json': {...wordPieceJson, added_tokens: {}}},
      isInvalid(/added_tokens must be a list, found an object/),
    ],
    [
      {'vocab.json': {...byteLevelVocabulary, x: 0}, 'merges.txt': ''},
      isInvalid(/vocab.json: id 0 must be of one token, found "<s>" and "x"/),
    ],
    [
      {'spm.model': spmModel({pieces: [...pieces, ['ab', -1]]})},
      isInvalid(/pieces must differ, 8 and 14 are both "ab"/),
    ],
  ]);
});

test('a tokenizer whose ids go beyond the vocabulary of the model is refused', async t => {
  const folder = await modelFolder(t);
  assert.equal((await loadTokenizer(folder, 12)).vocabSize, 12);
  writeFileSync(join(folder, 'added_tokens.json'), '{"<x>": 12}');
  await assert.rejects(loadTokenizer(folder, 12), isInvalid(/below vocab_size 12 of config.json, the highest is 12/));
});

test('broken JSON and values of another kind are named with their file', t =>
  refuses(t, [
    [{'tokenizer.json': '{'}, isInvalid(/tokenizer.json: it must be JSON/)],
    [{'tokenizer.json': '[]'}, isInvalid(/it must be a JSON object, found a list of 0/)],
    [{'tokenizer.json': {}}, isInvalid(/model must be a JSON object, found undefined/)],
    [
      {'tokenizer.json': {...unigramJson, post_processor: {type: 'TemplateProcessing'}}},
      isInvalid(/special_tokens must be/),
    ],
    [
      {'tokenizer_config.json': '{"do_lower_case": "no"}', 'tokenizer.json': wordPieceJson},
      isInvalid(/do_lower_case must be true/),
    ],
    [{'tokenizer_config.json': '{"added_tokens_decoder": {"x": {"content": "y"}}}'}, isInvalid(/found NaN/)],
    [{'tokenizer_config.json': '"x"'}, isInvalid(/tokenizer_config.json: it must be a JSON object, found "x"/)],
    [{'special_tokens_map.json': '{'}, isInvalid(/special_tokens_map.json: it must be JSON/)],
    [{'added_tokens.json': '{"x": null}'}, isInvalid(/added_tokens.json: the id of added token "x".*found null/)],
    [
      {'tokenizer.json': {...wordPieceJson, model: {...wordPieceJson.model, max_input_chars_per_word: 1e9}}},
      isInvalid(/max_input_chars_per_word must be at most 1000, found 1000000000/),
    ],
  ]));

test('merges must be pairs of tokens that are there, as what they become must be', t => {
  const files = (...lines: string[]) => ({
    'vocab.json': byteLevelVocabulary,
    'merges.txt': ['#version: 0.2', ...merges, ...lines].join('\n'),
  });
  const json = (...more: unknown[]) => ({
    'tokenizer.json': {...byteLevelJson, model: {...byteLevelJson.model, merges: [...merges, ...more]}},
  });
  return refuses(t, [
    [files('a Z'), isInvalid(/merges.txt: merge 5 must name tokens of the vocabulary, found "Z"/)],
    [files('c c'), isInvalid(/merge 5 must name tokens of the vocabulary, found "cc"/)],
    [files('a'), isInvalid(/merge 5 must be two tokens, found "a"/)],
    [files('a b c'), isInvalid(/merge 5 must be two tokens/)],
    [json(['a', 'b', 'c']), isInvalid(/merge 5 must be two tokens, found a list of 3/)],
    [json(['a', 5]), isInvalid(/merge 5 must be two tokens/)],
    [json(7), isInvalid(/merge 5 must be two tokens, found 7/)],
  ]);
});

test('an spm.model that is cut off, of another kind or with wrong numbers is refused', async t => {
  const whole = spmModel({charsmap: new Uint8Array()});
  await refuses(t, [
    [{'spm.model': ''}, isInvalid(/must have pieces/)],
    [{'spm.model': 'no protobuf at all'}, isInvalid(/must be a SentencePiece model/)],
    [{'spm.model': whole.subarray(0, 20)}, isInvalid(/must be a SentencePiece model: a message ends too early/)],
    // A piece of one byte whose text has two, and one whose number goes on behind it.
    [{'spm.model': Buffer.from('0a030a02610a030a0162', 'hex')}, isInvalid(/a message ends too early/)],
    [{'spm.model': Buffer.from('0a0218ff0a030a0162', 'hex')}, isInvalid(/a message ends too early/)],
    [{'spm.model': spmModel({modelType: 2})}, isUnsupported(/model_type 2 is not supported yet: expected 1, unigram/)],
    [{'spm.model': spmModel({unknownId: 14})}, isInvalid(/unk_id must be one of its 14 pieces, found 14/)],
    [{'spm.model': spmModel({unknownId: -1})}, isInvalid(/unk_id must be one of its 14 pieces, found -1/)],
    [{'spm.model': spmModel({pieces: [...pieces, ['x', Number.NaN]]})}, isInvalid(/scores must be finite.*found NaN/)],
    [
      {'spm.model': spmModel({pieces: [...pieces, ['x'.repeat(1001), -1]]})},
      isInvalid(/pieces must have at most 1000/),
    ],
    [{'spm.model': spmModel({charsmap: Buffer.of(1, 2)})}, isInvalid(/must hold its trie/)],
    [{'spm.model': Buffer.from('0a050a03ff6161', 'hex')}, isInvalid(/must be a SentencePiece model/)],
    [{'spm.model': whole, 'tokenizer_config.json': '{"split_by_punct": true}'}, isUnsupported(/split_by_punct true/)],
  ]);
});

test('components that we do not have are refused by name', t => {
  const change = (json: object, key: string, value: object) => ({
    'tokenizer.json': {...json, [key]: {...(json as Record<string, object>)[key], ...value}},
  });
  const replace = (json: object, key: string, value: unknown) => ({'tokenizer.json': {...json, [key]: value}});
  return refuses(t, [
    [
      replace(wordPieceJson, 'model', {type: 'WordLevel', vocab: {}}),
      isUnsupported(/model "WordLevel".*expected WordPiece/),
    ],
    [change(wordPieceJson, 'pre_tokenizer', {type: 'Whitespace'}), isUnsupported(/pre_tokenizer "Whitespace"/)],
    [change(wordPieceJson, 'normalizer', {type: 'Nmt'}), isUnsupported(/normalizer "Nmt"/)],
    [change(wordPieceJson, 'post_processor', {type: 'Sequence'}), isUnsupported(/post_processor "Sequence"/)],
    [change(byteLevelJson, 'pre_tokenizer', {use_regex: false}), isUnsupported(/use_regex false/)],
    [change(byteLevelJson, 'model', {dropout: 0.1}), isUnsupported(/dropout 0.1/)],
    [change(byteLevelJson, 'model', {end_of_word_suffix: '</w>'}), isUnsupported(/end_of_word_suffix "<\/w>"/)],
    [
      change(byteLevelJson, 'model', {continuing_subword_prefix: '##'}),
      isUnsupported(/continuing_subword_prefix "##"/),
    ],
    [change(byteLevelJson, 'model', {byte_fallback: true}), isUnsupported(/byte_fallback true/)],
    [change(byteLevelJson, 'model', {ignore_merges: true}), isUnsupported(/ignore_merges true/)],
    [change(byteLevelJson, 'model', {unk_token: '<unk>', fuse_unk: true}), isUnsupported(/fuse_unk true/)],
    [change(unigramJson, 'model', {byte_fallback: true}), isUnsupported(/byte_fallback true/)],
    [change(unigramJson, 'model', {unk_id: null}), isInvalid(/unk_id must be a whole number/)],
    [change(unigramJson, 'model', {unk_id: 14}), isInvalid(/unk_id must be one of 14 pieces/)],
    [change(unigramJson, 'model', {vocab: [['a', null]]}), isInvalid(/scores must be finite/)],
    [replace(unigramJson, 'pre_tokenizer', {type: 'Metaspace', replacement: '_'}), isUnsupported(/replacement "_"/)],
    [
      replace(unigramJson, 'pre_tokenizer', {type: 'Metaspace', replacement: '▁', add_prefix_space: false}),
      isUnsupported(/prepend_scheme "never"/),
    ],
    [
      replace(unigramJson, 'pre_tokenizer', {type: 'Metaspace', replacement: '▁', prepend_scheme: 'first'}),
      isUnsupported(/prepend_scheme "first"/),
    ],
    [
      replace(unigramJson, 'pre_tokenizer', {type: 'Metaspace', replacement: '▁', split: false}),
      isUnsupported(/split false/),
    ],
    [
      replace(unigramJson, 'normalizer', {type: 'Replace', pattern: {Regex: '[a-z]'}, content: ''}),
      isUnsupported(/Replace of "\[a-z\]"/),
    ],
    [
      replace(unigramJson, 'normalizer', {type: 'Sequence', normalizers: [{type: 'Sequence', normalizers: []}]}),
      isUnsupported(/normalizer "Sequence"/),
    ],
    [
      replace(unigramJson, 'normalizer', {type: 'Sequence', normalizers: Array(65).fill({type: 'NFC'})}),
      isUnsupported(/normalizer of 65 steps/),
    ],
  ]);
});

test('mutated files give a tokenizer or one clear error, never anything else', async t => {
  const folder = await temporaryFolder(t);
  const files: Record<string, Buffer> = {
    'spm.model': Buffer.from(spmModel()),
    'tokenizer.json': Buffer.from(JSON.stringify(unigramJson)),
    'merges.txt': Buffer.from(merges.join('\n')),
    'vocab.json': Buffer.from(JSON.stringify(byteLevelVocabulary)),
    'tokenizer_config.json': Buffer.from(
      JSON.stringify({added_tokens_decoder: {14: {content: '[MASK]', lstrip: true}}}),
    ),
  };
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  const numRounds = Number(process.env.FTFT_FUZZ_ROUNDS ?? 200);
  for (const sources of [['spm.model', 'tokenizer_config.json'], ['tokenizer.json'], ['vocab.json', 'merges.txt']]) {
    for (let round = 0; round < numRounds; round++) {
      const chosen = sources[random(sources.length)];
      for (const name of sources) {
        const bytes = Buffer.from(files[name]);
        // Half of the edits where pieces stand, which the table would dwarf.
        const at = () => random(random(2) === 0 ? bytes.length : Math.min(bytes.length, 400));
        for (let edits = name === chosen ? 1 + random(4) : 0; edits > 0; edits--) bytes[at()] = random(256);
        const length = name === chosen && random(8) === 0 ? random(bytes.length) : bytes.length;
        writeFileSync(join(folder, name), bytes.subarray(0, length));
      }
      try {
        const {encode} = await loadTokenizer(folder, 64);
        for (const id of encode('ab ﬁ\u0301 xyz', 'é [MASK]<mask>', 12).ids) assert.ok(id >= 0 && id < 64);
      } catch (error) {
        if (!(error instanceof FtftError)) throw error;
        assert.match(error.message, /^Cannot (use|read|load) /);
      }
    }
    for (const name of sources) rmSync(join(folder, name));
  }
});
