// Normalised text → ids of the longest pieces of the vocabulary, as BERT does it: split at spaces and punctuation, then WordPiece.
import {brief, invalid, type Json, text as textField} from './json-fields.js';
import type {Tokenize} from './tokenizer-parts.js';
import {cachedWords} from './word-cache.js';

/** What the WordPiece of a tokenizer.json says. */
export interface WordPieceOptions {
  vocabulary: Map<string, number>;
  unknownId: number;
  /** Before pieces that do not begin a word: ##. */
  continuationPrefix: string;
  /** Longer words, in characters, are unknown. */
  maxWordLength: number;
}

const wordOrMark = /[^\p{White_Space}\p{P}$+<=>^`|~]+|[\p{P}$+<=>^`|~]/gu;
const isPlain = /^[\t\n\r -~]*$/;
const plainWordOrMark = /[0-9A-Za-z]+|[!-/:-@[-`{-~]/g;
/** The pieces of a word are sought in quadratic time. */
const maxMaxWordLength = 1000;

export function wordPiece(options: WordPieceOptions): Tokenize {
  const piecesOf = cachedWords(word => splitWord(word, options));
  return (text, ids, maxTokens) => {
    for (const word of text.match(isPlain.test(text) ? plainWordOrMark : wordOrMark) ?? []) {
      if (ids.length >= maxTokens) return;
      for (const id of piecesOf(word)) ids.push(id);
    }
  };
}

/** model: that of a tokenizer.json, or {} where there is a vocabulary only. */
export function readWordPiece(file: string, model: Json, vocabulary: Map<string, number>, unknownId: number): Tokenize {
  const maxWordLength = model.max_input_chars_per_word ?? 100;
  if (!(Number.isInteger(maxWordLength) && Number(maxWordLength) >= 0 && Number(maxWordLength) <= maxMaxWordLength))
    throw invalid(file, `max_input_chars_per_word must be at most ${maxMaxWordLength}, found ${brief(maxWordLength)}`);
  return wordPiece({
    vocabulary,
    unknownId,
    continuationPrefix: textField(file, model.continuing_subword_prefix ?? '##', 'continuing_subword_prefix'),
    maxWordLength: Number(maxWordLength),
  });
}

function splitWord(
  word: string,
  {vocabulary, unknownId, continuationPrefix, maxWordLength}: WordPieceOptions,
): number[] {
  if (word.length > maxWordLength && [...word].length > maxWordLength) return [unknownId];
  const ids: number[] = [];
  for (let start = 0; start < word.length; ) {
    const prefix = start === 0 ? '' : continuationPrefix;
    let end = word.length;
    let id: number | undefined;
    while (end > start) {
      id = vocabulary.get(prefix + word.slice(start, end));
      if (id !== undefined) break;
      end--;
    }
    if (id === undefined) return [unknownId];
    ids.push(id);
    start = end;
  }
  return ids;
}
