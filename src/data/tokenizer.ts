// A model folder → its tokenizer: WordPiece from tokenizer.json, or from vocab.txt, with the settings of tokenizer_config.json.
import {createHash} from 'node:crypto';
import {join} from 'node:path';
import {FtftError} from '../errors.js';
import {readTextIfPresent} from './bounded-file.js';
import {readTokenizerJson, readVocabulary, type TokenizerSettings} from './tokenizer-files.js';
import type {Tokenizer} from './types.js';
import {wordPiece} from './wordpiece.js';

const maxBytes = {'tokenizer.json': 64 << 20, 'vocab.txt': 16 << 20, 'tokenizer_config.json': 4 << 20};
/** Changes when our own code gives other ids for the same files. */
const version = 'wordpiece 1';

/**
 * FAILED_PRECONDITION/MODEL_INVALID for files that are missing, broken or too large, UNIMPLEMENTED/NOT_SUPPORTED for tokenizers other
 * than BERT's. maxVocabSize: vocab_size of the model, whose word embeddings have a row for each id below it. Padding and truncation that a tokenizer.json asks for are the caller's business and ignored.
 */
export async function loadTokenizer(folder: string, maxVocabSize = Number.POSITIVE_INFINITY): Promise<Tokenizer> {
  const hash = createHash('sha256').update(version);
  const read = async (name: keyof typeof maxBytes) => {
    const text = await readTextIfPresent(join(folder, name), maxBytes[name]);
    if (text !== undefined) hash.update(`\0${name}\0${text.length}\0`).update(text);
    return text;
  };
  const config = await read('tokenizer_config.json');
  const json = await read('tokenizer.json');
  const vocabulary = json === undefined ? await read('vocab.txt') : undefined;
  const fitting = (settings: TokenizerSettings) => {
    if (settings.vocabSize > maxVocabSize) throw tooManyTokens(folder, settings.vocabSize, maxVocabSize);
    return build(settings, hash.digest('hex'));
  };
  if (json !== undefined) return fitting(readTokenizerJson(folder, json, config));
  if (vocabulary !== undefined) return fitting(readVocabulary(folder, vocabulary, config));
  throw new FtftError(
    'FAILED_PRECONDITION',
    `Cannot load the tokenizer of ${folder}: it must hold tokenizer.json or vocab.txt, found neither`,
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

function build(
  {classifyId, separatorId, padTokenId, vocabSize, options}: TokenizerSettings,
  digest: string,
): Tokenizer {
  const tokenize = wordPiece(options);
  return {
    padTokenId,
    vocabSize,
    digest,
    encode(text, textPair, maxLength) {
      // transformers drops an empty second text when it is given one pair.
      if (!textPair) {
        const room = Math.max(0, maxLength - 2);
        const ids = tokenize(text, room).slice(0, room);
        return {ids: [classifyId, ...ids, separatorId], secondStart: ids.length + 2};
      }
      const first = tokenize(text);
      const second = tokenize(textPair);
      const [numFirst, numSecond] = truncateLongestFirst(first.length, second.length, Math.max(0, maxLength - 3));
      const ids = [classifyId, ...first.slice(0, numFirst), separatorId, ...second.slice(0, numSecond), separatorId];
      return {ids, secondStart: numFirst + 2};
    },
  };
}

/** How many tokens of either text stay so that both have room, as the Rust library of transformers counts them. */
export function truncateLongestFirst(numFirst: number, numSecond: number, room: number): [number, number] {
  if (numFirst + numSecond <= room) return [numFirst, numSecond];
  let short = Math.min(numFirst, numSecond);
  let long = Math.max(short, room - short);
  if (short + long > room) {
    short = Math.floor(room / 2);
    long = room - short;
  }
  return numFirst > numSecond ? [long, short] : [short, long];
}
