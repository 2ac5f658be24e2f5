// tokenizer.json or vocab.txt, with tokenizer_config.json → the settings of a WordPiece tokenizer; anything else is refused by name.
import {FtftError} from '../errors.js';
import type {WordPieceOptions} from './wordpiece.js';

export interface TokenizerSettings {
  classifyId: number;
  separatorId: number;
  padTokenId: number;
  /** Greatest id and one. */
  vocabSize: number;
  options: WordPieceOptions;
}

type Json = Record<string, unknown>;

const maxVocabulary = 1 << 24;

export function readTokenizerJson(folder: string, text: string, configText: string | undefined): TokenizerSettings {
  const file = `${folder}/tokenizer.json`;
  const json = parse(file, text);
  const config = configText === undefined ? {} : parse(`${folder}/tokenizer_config.json`, configText);
  const normalizer = part(file, json, 'normalizer', 'BertNormalizer');
  part(file, json, 'pre_tokenizer', 'BertPreTokenizer');
  const model = part(file, json, 'model', 'WordPiece');
  const vocabulary = new Map<string, number>();
  for (const [token, id] of Object.entries(object(file, model.vocab, 'model.vocab'))) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= maxVocabulary)
      throw invalid(file, `model.vocab must give each token a whole number below ${maxVocabulary}, found ${brief(id)}`);
    vocabulary.set(token, id);
  }
  // As transformers does, the config's settings win over those baked into tokenizer.json.
  return settings(file, vocabulary, addedTokens(file, json), config, {
    do_lower_case: normalizer.lowercase,
    strip_accents: normalizer.strip_accents,
    tokenize_chinese_chars: normalizer.handle_chinese_chars,
    clean_text: normalizer.clean_text,
    unk_token: model.unk_token,
    prefix: model.continuing_subword_prefix,
    maxWordLength: model.max_input_chars_per_word,
  });
}

export function readVocabulary(folder: string, text: string, configText: string | undefined): TokenizerSettings {
  const file = `${folder}/vocab.txt`;
  const config = configText === undefined ? {} : parse(`${folder}/tokenizer_config.json`, configText);
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return settings(file, new Map(lines.map((token, id) => [token, id])), new Map(), config, {});
}

function settings(
  file: string,
  vocabulary: Map<string, number>,
  added: Map<string, number>,
  config: Json,
  baked: Json,
): TokenizerSettings {
  const idOf = (key: string, fallback: string): number => {
    const token = tokenText(config[key] ?? baked[key]) ?? fallback;
    const id = added.get(token) ?? vocabulary.get(token);
    if (id === undefined) throw invalid(file, `it must hold the ${key} ${brief(token)}, which is not there`);
    return id;
  };
  const flag = (key: string, fallback: boolean): boolean => {
    const value = config[key] ?? baked[key] ?? fallback;
    if (typeof value !== 'boolean') throw invalid(file, `${key} must be true or false, found ${brief(value)}`);
    return value;
  };
  const isLowerCased = flag('do_lower_case', true);
  const special = new Map(added);
  for (const [key, fallback] of Object.entries(specialTokens)) {
    const token = tokenText(config[key] ?? baked[key]) ?? fallback;
    const id = vocabulary.get(token);
    if (id !== undefined && !special.has(token)) special.set(token, id);
  }
  const {prefix = '##', maxWordLength = 100} = baked;
  if (typeof prefix !== 'string' || typeof maxWordLength !== 'number')
    throw invalid(file, 'model must give continuing_subword_prefix as text and max_input_chars_per_word as a number');
  let vocabSize = 0;
  for (const id of [vocabulary, special].flatMap(ids => [...ids.values()])) vocabSize = Math.max(vocabSize, id + 1);
  return {
    classifyId: idOf('cls_token', specialTokens.cls_token),
    separatorId: idOf('sep_token', specialTokens.sep_token),
    padTokenId: idOf('pad_token', specialTokens.pad_token),
    vocabSize,
    options: {
      vocabulary,
      unknownId: idOf('unk_token', specialTokens.unk_token),
      continuationPrefix: prefix,
      maxWordLength,
      isLowerCased,
      stripsAccents: flag('strip_accents', isLowerCased),
      splitsIdeographs: flag('tokenize_chinese_chars', true),
      cleansText: flag('clean_text', true),
      specialTokens: special,
    },
  };
}

const specialTokens = {
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
};

/** Tokens beside the vocabulary; those whose matching rules we do not have are refused. */
function addedTokens(file: string, json: Json): Map<string, number> {
  const added = new Map<string, number>();
  const list = json.added_tokens ?? [];
  if (!Array.isArray(list)) throw invalid(file, `added_tokens must be a list, found ${brief(list)}`);
  for (const entry of list) {
    const {id, content, ...rules} = object(file, entry, 'an entry of added_tokens');
    if (
      typeof content !== 'string' ||
      content === '' ||
      typeof id !== 'number' ||
      !Number.isInteger(id) ||
      id < 0 ||
      id >= maxVocabulary
    )
      throw invalid(file, `added_tokens must have content and id, found ${brief(entry)}`);
    const rule = ['single_word', 'lstrip', 'rstrip', 'normalized'].find(name => rules[name] === true);
    if (rule !== undefined)
      throw unsupported(file, `added token ${brief(content)} with ${rule} true`, 'added tokens without matching rules');
    added.set(content, id);
  }
  return added;
}

function part(file: string, json: Json, key: string, type: string): Json {
  const found = json[key] === null || json[key] === undefined ? {type: 'none'} : object(file, json[key], key);
  // The oldest files leave the model's type out.
  if (found.type === type || (key === 'model' && found.type === undefined && 'continuing_subword_prefix' in found))
    return found;
  throw unsupported(file, `${key} ${brief(found.type)}`, type);
}

/** A special token stands as text or as an object that holds it. */
function tokenText(token: unknown): string | undefined {
  if (typeof token === 'string') return token;
  const content = typeof token === 'object' && token !== null && 'content' in token ? token.content : undefined;
  return typeof content === 'string' ? content : undefined;
}

function parse(file: string, text: string): Json {
  try {
    return object(file, JSON.parse(text), 'it');
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(file, `it must be JSON: ${error.message}`);
    throw error;
  }
}

function object(file: string, value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw invalid(file, `${what} must be a JSON object, found ${brief(value)}`);
}

function brief(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 80);
}

function invalid(file: string, expected: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot use ${file}: ${expected}`, {reason: 'MODEL_INVALID'});
}

function unsupported(file: string, what: string, expected: string): FtftError {
  return new FtftError('UNIMPLEMENTED', `Cannot use ${file}: ${what} is not supported yet: expected ${expected}`, {
    reason: 'NOT_SUPPORTED',
  });
}
