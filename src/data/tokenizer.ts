// A model folder → its tokenizer: from tokenizer.json, or from the vocabulary that its family has, with the settings beside it.
import {createHash} from 'node:crypto';
import {join} from 'node:path';
import {FtftError} from '../errors.js';
import {decodeText, readBytesIfPresent} from './bounded-file.js';
import {invalid} from './json-fields.js';
import {readTokenizerJson} from './tokenizer-json.js';
import {encoder, type TokenizerParts} from './tokenizer-parts.js';
import {readSettings} from './tokenizer-settings.js';
import {readSpmModel, readVocabJson, readVocabTxt} from './tokenizer-vocabulary.js';
import type {Tokenizer} from './types.js';

const mebibyte = 1 << 20;
/** What a tokenizer is read from, and the most bytes that each may have. */
const maxBytes = {
  'tokenizer_config.json': 4 * mebibyte,
  'special_tokens_map.json': 4 * mebibyte,
  'added_tokens.json': 4 * mebibyte,
  'tokenizer.json': 64 * mebibyte,
  'spm.model': 32 * mebibyte,
  'vocab.json': 32 * mebibyte,
  'merges.txt': 32 * mebibyte,
  'vocab.txt': 16 * mebibyte,
};
type FileName = keyof typeof maxBytes;
/** Changes when our own code gives other ids for the same files. */
const version = 'tokenizer 2';

/**
 * FAILED_PRECONDITION/MODEL_INVALID for files that are missing, broken or too large, UNIMPLEMENTED/NOT_SUPPORTED for tokenizers other
 * than those of BERT, RoBERTa and DeBERTa. maxVocabSize: vocab_size of the model, whose word embeddings have a row for each id below it.
 */
export async function loadTokenizer(folder: string, maxVocabSize = Number.POSITIVE_INFINITY): Promise<Tokenizer> {
  const hash = createHash('sha256').update(version);
  const read = async (name: FileName) => {
    const bytes = await readBytesIfPresent(join(folder, name), maxBytes[name]);
    if (bytes) hash.update(`\0${name}\0${bytes.length}\0`).update(bytes);
    return bytes;
  };
  const readText = async (name: FileName) => {
    const bytes = await read(name);
    return bytes && decodeText(join(folder, name), bytes);
  };
  const parts = await readParts(folder, read, readText);
  if (parts.vocabSize > maxVocabSize) throw tooManyTokens(folder, parts.vocabSize, maxVocabSize);
  return {
    padTokenId: parts.padTokenId,
    vocabSize: parts.vocabSize,
    digest: hash.digest('hex'),
    encode: encoder(parts),
  };
}

async function readParts(
  folder: string,
  read: (name: FileName) => Promise<Uint8Array | undefined>,
  readText: (name: FileName) => Promise<string | undefined>,
): Promise<TokenizerParts> {
  const settings = readSettings(folder, {
    'tokenizer_config.json': await readText('tokenizer_config.json'),
    'special_tokens_map.json': await readText('special_tokens_map.json'),
    'added_tokens.json': await readText('added_tokens.json'),
  });
  const json = await readText('tokenizer.json');
  if (json !== undefined) return readTokenizerJson(folder, json, settings);
  const model = await read('spm.model');
  if (model) return readSpmModel(folder, model, settings);
  const content = await readText('vocab.json');
  const merges = content === undefined ? undefined : await readText('merges.txt');
  if (content !== undefined && merges !== undefined) return readVocabJson(folder, {content, merges}, settings);
  const vocabulary = await readText('vocab.txt');
  if (vocabulary !== undefined) return readVocabTxt(folder, vocabulary, settings);
  if (content !== undefined) throw invalid(`${folder}/vocab.json`, 'merges.txt must stand beside it, found none');
  throw new FtftError(
    'FAILED_PRECONDITION',
    `Cannot load the tokenizer of ${folder}: it must hold tokenizer.json, spm.model, vocab.json with merges.txt, or vocab.txt, found none of them`,
    {reason: 'MODEL_INVALID'},
  );
}

function tooManyTokens(folder: string, vocabSize: number, maxVocabSize: number): FtftError {
  return new FtftError(
    'FAILED_PRECONDITION',
    `Cannot use the tokenizer of ${folder}: its ids must be below vocab_size ${maxVocabSize} of config.json, the highest is ${vocabSize - 1}`,
    {reason: 'MODEL_INVALID'},
  );
}
