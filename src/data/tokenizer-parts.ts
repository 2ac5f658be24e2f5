// The parts that every family of tokenizers fills in → the function that turns texts into framed ids.
import {type AddedToken, addedTokenSplitter} from './added-tokens.js';
import type {Normalize} from './normalizer.js';
import {type Frame, framed} from './tokenizer-frame.js';
import type {Tokenizer} from './types.js';

/** Appends the ids of a normalised text; it may stop once there are maxTokens. */
export type Tokenize = (text: string, ids: number[], maxTokens: number) => void;

export interface TokenizerParts {
  addedTokens: AddedToken[];
  normalize: Normalize;
  tokenize: Tokenize;
  frame: Frame;
  padTokenId: number;
  /** Greatest id and one. */
  vocabSize: number;
}

export function encoder({addedTokens, normalize, tokenize, frame}: TokenizerParts): Tokenizer['encode'] {
  const split = addedTokenSplitter(addedTokens.filter(({isNormalized}) => !isNormalized));
  const normalized = addedTokens.filter(({isNormalized}) => isNormalized);
  const splitNormalized = addedTokenSplitter(
    normalized.map(token => ({...token, content: normalize(token.content)})).filter(({content}) => content !== ''),
  );
  const idsOf = (text: string, maxTokens = Number.POSITIVE_INFINITY): number[] => {
    const ids: number[] = [];
    for (const part of split(text)) {
      if (ids.length >= maxTokens) break;
      if (typeof part === 'number') ids.push(part);
      else
        for (const piece of splitNormalized(normalize(part))) {
          if (typeof piece === 'number') ids.push(piece);
          else tokenize(piece, ids, maxTokens);
        }
    }
    return ids;
  };
  return (text, textPair, maxLength) => {
    // transformers drops an empty second text when it is given one pair.
    if (textPair) return framed(frame.pair, [idsOf(text), idsOf(textPair)], maxLength);
    const {before, after} = frame.single;
    const room = Math.max(0, maxLength - before.length - after.length);
    const ids = [...before, ...idsOf(text, room).slice(0, room), ...after];
    return {ids, secondStart: ids.length};
  };
}
