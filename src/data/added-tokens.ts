// Added tokens, special ones among them → a function that finds them in texts before anything else is done, as Rust's AddedVocabulary.
import {PieceTrie} from './piece-trie.js';

export interface AddedToken {
  id: number;
  content: string;
  /** Found only where no word character stands beside it. */
  isSingleWord: boolean;
  /** Takes the white space before it. */
  stripsLeft: boolean;
  /** Takes the white space after it. */
  stripsRight: boolean;
  /** Is looked for in the normalised text, in its own normalised form. */
  isNormalized: boolean;
}

/** The texts between the tokens, as text, and the tokens' ids. */
export type Parts = (string | number)[];

const whiteSpace = /\p{White_Space}/u;
/** A word character as Rust's regex has it. */
const endsInWord = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const beginsWithWord = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

/** The longest of the tokens that begin at a place is found there; tokens do not overlap. */
export function addedTokenSplitter(tokens: AddedToken[]): (text: string) => Parts {
  if (tokens.length === 0) return text => [text];
  const trie = new PieceTrie();
  for (const [i, {content}] of tokens.entries()) trie.add(content, i);
  const beginnings = new Set(tokens.map(({content}) => content.codePointAt(0)!.toString(16)));
  const beginning = new RegExp(`[${[...beginnings].map(code => `\\u{${code}}`).join('')}]`, 'gu');
  return text => {
    beginning.lastIndex = 0;
    let found = beginning.exec(text);
    if (!found) return [text];
    const parts: Parts = [];
    let done = 0;
    for (; found; found = beginning.exec(text)) {
      const match = longestAt(trie, text, found.index);
      if (!match) continue;
      beginning.lastIndex = match.end;
      const token = tokens[match.value];
      if (token.isSingleWord && !standsAlone(text, found.index, match.end)) continue;
      const start = token.stripsLeft ? startOfSpace(text, found.index, done) : found.index;
      if (start > done) parts.push(text.slice(done, start));
      parts.push(token.id);
      done = token.stripsRight ? endOfSpace(text, match.end) : match.end;
    }
    if (done < text.length) parts.push(text.slice(done));
    return parts;
  };
}

function longestAt(trie: PieceTrie, text: string, start: number): {value: number; end: number} | undefined {
  let longest: {value: number; end: number} | undefined;
  let node: number | undefined = PieceTrie.root;
  for (let end = start; end < text.length; ) {
    node = trie.next(node, text.charCodeAt(end++));
    if (node === undefined) break;
    const value = trie.value(node);
    if (value >= 0) longest = {value, end};
  }
  return longest;
}

function standsAlone(text: string, start: number, end: number): boolean {
  return !endsInWord.test(text.slice(Math.max(0, start - 2), start)) && !beginsWithWord.test(text.slice(end, end + 2));
}

/** Where the white space that ends at `end` begins, `least` at the least. */
export function startOfSpace(text: string, end: number, least = 0): number {
  let start = end;
  while (start > least && whiteSpace.test(text[start - 1])) start--;
  return start;
}

/** Where the white space that begins at `start` ends. */
export function endOfSpace(text: string, start: number): number {
  let end = start;
  while (end < text.length && whiteSpace.test(text[end])) end++;
  return end;
}
