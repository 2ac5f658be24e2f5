// Text → token ids, as BERT does it: clean, lower-case, split at spaces and punctuation, then the longest pieces of the vocabulary.
// A tokenizer of our own: 200,000 premise-hypothesis pairs a second where @huggingface/tokenizers has 20,000 to 28,000 (8,847 pairs of
// SNLI, one core), and that one errs on ideographs beyond the BMP and on final sigma.

/** What BertNormalizer, BertPreTokenizer and WordPiece of a tokenizer.json say. */
export interface WordPieceOptions {
  vocabulary: Map<string, number>;
  unknownId: number;
  /** Before pieces that do not begin a word: ##. */
  continuationPrefix: string;
  /** Longer words, in characters, are unknown. */
  maxWordLength: number;
  isLowerCased: boolean;
  stripsAccents: boolean;
  splitsIdeographs: boolean;
  cleansText: boolean;
  /** Literals in texts that are one token each, found before anything else happens. */
  specialTokens: Map<string, number>;
}

/** Pieces of words seen before, which most words are; bounded, words being the user's. */
const maxCachedWords = 1 << 16;

const removed = /[\0\ufffd]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu;
const whiteSpace = /\p{White_Space}/gu;
const ideograph =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
const nonSpacingMark = /\p{Mn}/gu;
const wordOrMark = /[^\p{White_Space}\p{P}$+<=>^`|~]+|[\p{P}$+<=>^`|~]/gu;
const isPlain = /^[\t\n\r -~]*$/;
const plainWordOrMark = /[0-9A-Za-z]+|[!-/:-@[-`{-~]/g;

/** A function that gives the ids of a text without special tokens; it may stop once it has maxTokens. */
export function wordPiece(options: WordPieceOptions): (text: string, maxTokens?: number) => number[] {
  const {specialTokens} = options;
  const cache = new Map<string, number[]>();
  const piecesOf = (word: string): number[] => {
    let ids = cache.get(word);
    if (ids === undefined) {
      ids = splitWord(word, options);
      if (cache.size >= maxCachedWords) cache.clear();
      cache.set(word, ids);
    }
    return ids;
  };
  const special = literalPattern([...specialTokens.keys()]);
  return (text, maxTokens = Infinity) => {
    const ids: number[] = [];
    // With a capturing group, split() puts the special tokens between the texts: they are the odd parts.
    const parts = special ? text.split(special) : [text];
    for (let i = 0; i < parts.length && ids.length < maxTokens; i++) {
      if (i % 2 === 1) ids.push(specialTokens.get(parts[i])!);
      else
        for (const word of words(parts[i], options)) {
          if (ids.length >= maxTokens) break;
          for (const id of piecesOf(word)) ids.push(id);
        }
    }
    return ids;
  };
}

function words(text: string, options: WordPieceOptions): string[] {
  // Most English texts need none of the Unicode rules.
  if (isPlain.test(text)) return (options.isLowerCased ? text.toLowerCase() : text).match(plainWordOrMark) ?? [];
  return normalize(text, options).match(wordOrMark) ?? [];
}

function normalize(
  text: string,
  {cleansText, splitsIdeographs, stripsAccents, isLowerCased}: WordPieceOptions,
): string {
  let result = text;
  if (cleansText) result = result.replace(removed, '').replace(whiteSpace, ' ');
  if (splitsIdeographs) result = result.replace(ideograph, ' $& ');
  if (stripsAccents) result = result.normalize('NFD').replace(nonSpacingMark, '');
  // Character by character a sigma knows no end of a word; all other lower-casing is free of context anyway.
  if (isLowerCased) result = result.replaceAll('Σ', 'σ').toLowerCase();
  return result;
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

function literalPattern(literals: string[]): RegExp | undefined {
  if (literals.length === 0) return undefined;
  const longestFirst = literals.sort((a, b) => b.length - a.length);
  return new RegExp(`(${longestFirst.map(literal => literal.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|')})`, 'u');
}
