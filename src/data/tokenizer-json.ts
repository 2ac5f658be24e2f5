// tokenizer.json, with the settings beside it → the parts of a tokenizer; components that we do not have are refused by name.
import {readMerges} from './bpe-merges.js';
import {byteLevelBpe} from './byte-level-bpe.js';
import {
  brief,
  flag,
  invalid,
  type Json,
  list,
  object,
  parseJson,
  text as textField,
  tokenId,
  unsupported,
} from './json-fields.js';
import {readNormalizer} from './normalizer.js';
import {frames, readFrame} from './tokenizer-frame.js';
import type {Tokenize, TokenizerParts} from './tokenizer-parts.js';
import {addedTokens, type Family, specialTokens, type TokenizerSettings} from './tokenizer-settings.js';
import {unigram} from './unigram.js';
import {type Vocabulary, vocabularyOf, vocabularyOfPieces} from './vocabulary.js';
import {readWordPiece} from './wordpiece.js';

/** Padding and truncation that the file asks for are the caller's business and ignored. */
export function readTokenizerJson(folder: string, content: string, settings: TokenizerSettings): TokenizerParts {
  const file = `${folder}/tokenizer.json`;
  const json = parseJson(file, content);
  const {family, vocabulary, tokenize} = readModel(file, json, settings.flags);
  const listed = addedTokens(file, json.added_tokens);
  const {idOf, ...tokens} = specialTokens(file, vocabulary, settings, {family, listed});
  return {
    ...tokens,
    normalize: readNormalizer(file, json.normalizer, settings.flags),
    tokenize,
    frame: readFrame(file, json.post_processor) ?? frames[family](idOf('cls_token'), idOf('sep_token')),
    padTokenId: idOf('pad_token'),
  };
}

function readModel(
  file: string,
  json: Json,
  flags: Json,
): {family: Family; vocabulary: Vocabulary; tokenize: Tokenize} {
  const model = object(file, json.model, 'model');
  switch (model.type ?? untyped(model)) {
    case 'WordPiece':
      preTokenizer(file, json, 'BertPreTokenizer');
      return {family: 'bert', ...wordPieceModel(file, model)};
    case 'BPE':
      return {family: 'roberta', ...bpeModel(file, model, preTokenizer(file, json, 'ByteLevel'), flags)};
    case 'Unigram': {
      const {add_prefix_space: isSpaced = true, ...spaces} = preTokenizer(file, json, 'Metaspace');
      const scheme = isSpaced ? 'always' : 'never';
      allowOnly(
        file,
        {prepend_scheme: scheme, ...spaces},
        {
          replacement: ['▁'],
          prepend_scheme: ['always'],
          split: [true, undefined],
        },
      );
      return {family: 'bert', ...unigramModel(file, model)};
    }
    default:
      throw unsupported(file, `model ${brief(model.type)}`, 'WordPiece, BPE or Unigram');
  }
}

/** The oldest files leave the model's type out. */
function untyped(model: Json): string | undefined {
  if ('merges' in model) return 'BPE';
  return 'continuing_subword_prefix' in model ? 'WordPiece' : undefined;
}

function wordPieceModel(file: string, model: Json): {vocabulary: Vocabulary; tokenize: Tokenize} {
  const vocabulary = vocabularyOf(file, model.vocab, 'model.vocab');
  const unknownId = idOfUnknown(file, vocabulary, model.unk_token ?? '[UNK]');
  return {vocabulary, tokenize: readWordPiece(file, model, vocabulary, unknownId)};
}

function bpeModel(
  file: string,
  model: Json,
  byteLevel: Json,
  flags: Json,
): {vocabulary: Vocabulary; tokenize: Tokenize} {
  allowOnly(file, byteLevel, {use_regex: [true, undefined]});
  allowOnly(file, model, {
    dropout: [null, undefined, 0],
    continuing_subword_prefix: ['', null, undefined],
    end_of_word_suffix: ['', null, undefined],
    byte_fallback: [false, undefined],
    ignore_merges: [false, undefined],
    fuse_unk: model.unk_token ? [false, undefined] : [false, true, undefined],
  });
  const vocabulary = vocabularyOf(file, model.vocab, 'model.vocab');
  const tokenize = byteLevelBpe({
    vocabulary,
    merges: readMerges(file, list(file, model.merges, 'model.merges'), vocabulary),
    addsPrefixSpace: flag(file, flags.add_prefix_space ?? byteLevel.add_prefix_space ?? false, 'add_prefix_space'),
    unknownId: model.unk_token ? idOfUnknown(file, vocabulary, model.unk_token) : undefined,
  });
  return {vocabulary, tokenize};
}

function unigramModel(file: string, model: Json): {vocabulary: Vocabulary; tokenize: Tokenize} {
  allowOnly(file, model, {byte_fallback: [false, undefined]});
  const pieces: string[] = [];
  const scores: number[] = [];
  for (const entry of list(file, model.vocab, 'model.vocab')) {
    const [piece, score] = list(file, entry, 'an entry of model.vocab');
    if (!Number.isFinite(score)) throw invalid(file, `scores must be finite numbers, found ${brief(score)}`);
    pieces.push(textField(file, piece, 'a piece of model.vocab'));
    scores.push(Number(score));
  }
  const unknownId = tokenId(file, model.unk_id, 'model.unk_id');
  if (unknownId >= pieces.length)
    throw invalid(file, `model.unk_id must be one of ${pieces.length} pieces, found ${unknownId}`);
  return {vocabulary: vocabularyOfPieces(file, pieces), tokenize: unigram(file, {pieces, scores, unknownId})};
}

function idOfUnknown(file: string, vocabulary: Vocabulary, token: unknown): number {
  const id = vocabulary.get(textField(file, token, 'model.unk_token'));
  if (id === undefined) throw invalid(file, `it must hold the unk_token ${brief(token)}, which is not there`);
  return id;
}

/** A sequence of one is that one. */
function preTokenizer(file: string, json: Json, type: string): Json {
  let found = object(file, json.pre_tokenizer ?? {}, 'pre_tokenizer');
  const steps = found.pretokenizers;
  if (found.type === 'Sequence' && Array.isArray(steps) && steps.length === 1)
    found = object(file, steps[0], 'a step of pre_tokenizer');
  if (found.type === type) return found;
  throw unsupported(file, `pre_tokenizer ${brief(found.type)}`, type);
}

function allowOnly(file: string, found: Json, allowed: Record<string, unknown[]>): void {
  for (const [key, values] of Object.entries(allowed))
    if (!values.includes(found[key])) throw unsupported(file, `${key} ${brief(found[key])}`, brief(values[0]));
}
