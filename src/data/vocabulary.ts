// Vocabularies as files hold them → tokens with their ids.
import {brief, invalid, maxVocabulary, object, tokenId} from './json-fields.js';

export type Vocabulary = Map<string, number>;

/** An object of tokens and ids: model.vocab of a tokenizer.json, or a vocab.json. */
export function vocabularyOf(file: string, value: unknown, what: string): Vocabulary {
  const vocabulary: Vocabulary = new Map();
  for (const [token, id] of Object.entries(object(file, value, what)))
    vocabulary.set(token, tokenId(file, id, `the id of ${brief(token)}`));
  return vocabulary;
}

/** Tokens in the order of their ids: the lines of a vocab.txt. Of equal ones the last holds, as in transformers. */
export function vocabularyOfLines(file: string, tokens: string[]): Vocabulary {
  if (tokens.length >= maxVocabulary)
    throw invalid(file, `it must have fewer than ${maxVocabulary} tokens, found ${tokens.length}`);
  return new Map(tokens.map((token, id) => [token, id]));
}

/** Pieces of a SentencePiece model in the order of their ids; MODEL_INVALID for equal ones. */
export function vocabularyOfPieces(file: string, pieces: string[]): Vocabulary {
  const vocabulary: Vocabulary = new Map();
  for (const [id, piece] of pieces.entries()) {
    const other = vocabulary.get(piece);
    if (other !== undefined) throw invalid(file, `pieces must differ, ${other} and ${id} are both ${brief(piece)}`);
    vocabulary.set(piece, id);
  }
  return vocabulary;
}
