// Normalised text → token ids, as SentencePiece's unigram models do it: words with their space, each cut into its likeliest pieces.
import {invalid} from './json-fields.js';
import {maxPieceLength, maxPieceUnits, PieceTrie} from './piece-trie.js';
import type {Tokenize} from './tokenizer-parts.js';
import {cachedWords} from './word-cache.js';

export interface UnigramOptions {
  /** Id of a piece: its position. Spaces are ▁ in them. */
  pieces: string[];
  /** Log probabilities. */
  scores: number[];
  unknownId: number;
}

/** What an unknown character costs more than the unlikeliest piece. */
const unknownPenalty = 10;
/** A space begins a word; written as a space here, which keeps words of ASCII in one byte a character. */
const word = / [^ ]*|[^ ]+/g;

/** MODEL_INVALID for pieces too long to search for. */
export function unigram(file: string, {pieces, scores, unknownId}: UnigramOptions): Tokenize {
  const trie = new PieceTrie();
  let numUnits = 0;
  for (const [id, piece] of pieces.entries()) {
    numUnits += piece.length;
    if (piece.length > maxPieceLength || numUnits > maxPieceUnits)
      throw invalid(file, `pieces must have at most ${maxPieceLength} characters, ${maxPieceUnits} together`);
    // No text has a space where it has a ▁, so that a piece with a space is found nowhere.
    if (!piece.includes(' ')) trie.add(piece.replaceAll('▁', ' '), id);
  }
  const unknownScore =
    scores.reduce((least, score) => Math.min(least, score), Number.POSITIVE_INFINITY) - unknownPenalty;
  const piecesOf = cachedWords(text => likeliest(text, trie, scores, {id: unknownId, score: unknownScore}));
  return (text, ids, maxTokens) => {
    if (text === '') return;
    const spaced = text.replaceAll('▁', ' ');
    for (const part of (spaced.startsWith(' ') ? spaced : ` ${spaced}`).match(word) ?? []) {
      if (ids.length >= maxTokens) return;
      for (const id of piecesOf(part)) ids.push(id);
    }
  };
}

/** Viterbi: the best way to each position is extended by every piece that begins there. Unknown characters side by side are one token. */
function likeliest(text: string, trie: PieceTrie, scores: number[], unknown: {id: number; score: number}): number[] {
  const best = new Float64Array(text.length + 1).fill(Number.NEGATIVE_INFINITY);
  const ids = new Int32Array(text.length + 1);
  const starts = new Int32Array(text.length + 1);
  best[0] = 0;
  const offer = (start: number, end: number, id: number, score: number) => {
    if (best[start] + score <= best[end]) return;
    best[end] = best[start] + score;
    ids[end] = id;
    starts[end] = start;
  };
  for (let start = 0; start < text.length; ) {
    const nextStart = start + (text.codePointAt(start)! > 0xffff ? 2 : 1);
    let isKnown = false;
    let node: number | undefined = PieceTrie.root;
    for (let end = start; end < text.length; ) {
      node = trie.next(node, text.charCodeAt(end++));
      if (node === undefined) break;
      const id = trie.value(node);
      if (id < 0) continue;
      offer(start, end, id, scores[id]);
      if (end === nextStart) isKnown = true;
    }
    if (!isKnown) offer(start, nextStart, unknown.id, unknown.score);
    start = nextStart;
  }
  const reversed: number[] = [];
  for (let end = text.length; end > 0; end = starts[end])
    if (ids[end] !== unknown.id || reversed.at(-1) !== unknown.id) reversed.push(ids[end]);
  return reversed.reverse();
}
