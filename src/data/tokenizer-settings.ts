// tokenizer_config.json, special_tokens_map.json and added_tokens.json → the flags and the special tokens that a vocabulary lacks.
import type {AddedToken} from './added-tokens.js';
import {brief, flag, invalid, type Json, list, object, parseJson, tokenId} from './json-fields.js';
import {maxPieceLength, maxPieceUnits} from './piece-trie.js';

/** Texts of the small files beside a tokenizer; undefined where there is none. */
export interface SettingsFiles {
  'tokenizer_config.json'?: string;
  'special_tokens_map.json'?: string;
  'added_tokens.json'?: string;
}

type Role = 'unk_token' | 'sep_token' | 'pad_token' | 'cls_token' | 'mask_token';
type Named = Omit<AddedToken, 'id'>;

export interface TokenizerSettings {
  /** do_lower_case and others of tokenizer_config.json. */
  flags: Json;
  /** Tokens by what they are for, where the files say it: cls_token and others. */
  named: Map<string, Named>;
  /** Tokens with ids, beside the vocabulary or inside it. */
  added: AddedToken[];
}

const defaults = {
  bert: {unk_token: '[UNK]', sep_token: '[SEP]', pad_token: '[PAD]', cls_token: '[CLS]', mask_token: '[MASK]'},
  roberta: {unk_token: '<unk>', sep_token: '</s>', pad_token: '<pad>', cls_token: '<s>', mask_token: '<mask>'},
} satisfies Record<string, Record<Role, string>>;

export type Family = keyof typeof defaults;

export function readSettings(folder: string, files: SettingsFiles): TokenizerSettings {
  const read = (name: keyof SettingsFiles) => {
    const text = files[name];
    return text === undefined ? {} : parseJson(`${folder}/${name}`, text);
  };
  const flags = read('tokenizer_config.json');
  const config = `${folder}/tokenizer_config.json`;
  const decoder = flags.added_tokens_decoder;
  const added =
    decoder === undefined || decoder === null
      ? []
      : Object.entries(object(config, decoder, 'added_tokens_decoder')).map(([id, token]) =>
          addedToken(config, Number(id), token),
        );
  const known = new Set(added.map(({content}) => content));
  for (const [content, id] of Object.entries(read('added_tokens.json')))
    if (!known.has(content)) added.push(addedToken(`${folder}/added_tokens.json`, id, {content}));
  // As in transformers, the map of older repositories wins where the config does not list its tokens itself.
  const map = decoder === undefined ? read('special_tokens_map.json') : {};
  const named = new Map<string, Named>();
  for (const [role, value] of Object.entries({...flags, ...map})) {
    if (!/_tokens?$/.test(role)) continue;
    // additional_special_tokens is a list of them.
    for (const [i, token] of (Array.isArray(value) ? value : [value]).entries()) {
      const rules = namedToken(config, token);
      if (rules) named.set(Array.isArray(value) ? `${role}.${i}` : role, rules);
    }
  }
  return {flags, named, added: checked(config, added)};
}

/** The tokens of a family, found in its vocabulary; idOf: MODEL_INVALID for a token without an id. */
export function specialTokens(
  file: string,
  vocabulary: Map<string, number>,
  {named, added}: TokenizerSettings,
  {family, listed = []}: {family: Family /** Of tokenizer.json. */; listed?: AddedToken[]},
): {idOf: (role: Role) => number; addedTokens: AddedToken[]; vocabSize: number} {
  const known = new Map<string, AddedToken>();
  for (const token of [...listed, ...added]) {
    const id = vocabulary.get(token.content);
    if (id !== undefined && id !== token.id)
      throw invalid(file, `token ${brief(token.content)} must have one id, found ${id} and ${token.id}`);
    if (!known.has(token.content)) known.set(token.content, token);
  }
  const roles = new Map<string, Named>(named);
  for (const [role, content] of Object.entries(defaults[family]))
    if (!roles.has(role)) roles.set(role, plainToken(content));
  for (const token of roles.values()) {
    const id = vocabulary.get(token.content);
    if (id !== undefined && !known.has(token.content)) known.set(token.content, {...token, id});
  }
  const addedTokens = [...known.values()];
  const owners = new Map<number, string>();
  let vocabSize = 0;
  for (const [content, id] of [...vocabulary, ...addedTokens.map(({content, id}) => [content, id] as const)]) {
    const owner = owners.get(id) ?? content;
    if (owner !== content)
      throw invalid(file, `id ${id} must be of one token, found ${brief(owner)} and ${brief(content)}`);
    owners.set(id, content);
    vocabSize = Math.max(vocabSize, id + 1);
  }
  const idOf = (role: Role): number => {
    const {content} = roles.get(role)!;
    const id = known.get(content)?.id ?? vocabulary.get(content);
    if (id === undefined) throw invalid(file, `it must hold the ${role} ${brief(content)}, which is not there`);
    return id;
  };
  return {idOf, addedTokens, vocabSize};
}

/** The mask of RoBERTa takes the space before it where it is named and no more. */
function plainToken(content: string): Named {
  return {content, isSingleWord: false, stripsLeft: content === '<mask>', stripsRight: false, isNormalized: false};
}

/** A special token stands as text or as an object that holds it. */
function namedToken(file: string, token: unknown): Named | undefined {
  if (typeof token === 'string') return token === '' ? undefined : plainToken(token);
  if (typeof token !== 'object' || token === null || !('content' in token) || typeof token.content !== 'string')
    return undefined;
  const {id: _, ...rules} = addedToken(file, 0, token);
  return rules;
}

/** Tokens of a tokenizer.json or an added_tokens_decoder. */
export function addedToken(file: string, id: unknown, token: unknown): AddedToken {
  const {content, ...rules} = object(file, token, 'an added token');
  if (typeof content !== 'string' || content === '' || content.length > maxPieceLength)
    throw invalid(file, `an added token must be text of 1 to ${maxPieceLength} characters, found ${brief(content)}`);
  const rule = (name: string) => flag(file, rules[name] ?? false, `${name} of added token ${brief(content)}`);
  return {
    id: tokenId(file, id, `the id of added token ${brief(content)}`),
    content,
    isSingleWord: rule('single_word'),
    stripsLeft: rule('lstrip'),
    stripsRight: rule('rstrip'),
    isNormalized: rule('normalized'),
  };
}

export function addedTokens(file: string, value: unknown): AddedToken[] {
  const entries = list(file, value ?? [], 'added_tokens');
  return checked(
    file,
    entries.map(entry => addedToken(file, object(file, entry, 'an entry of added_tokens').id, entry)),
  );
}

function checked(file: string, tokens: AddedToken[]): AddedToken[] {
  if (tokens.reduce((sum, {content}) => sum + content.length, 0) > maxPieceUnits)
    throw invalid(file, `added tokens must have at most ${maxPieceUnits} characters together`);
  return tokens;
}
