// A vocabulary without a tokenizer.json, with the settings beside it → the parts of the tokenizer that its family has.
import {readMerges} from './bpe-merges.js';
import {byteLevelBpe} from './byte-level-bpe.js';
import {flag, parseJson, unsupported} from './json-fields.js';
import {debertaNormalizer, readBertNormalizer} from './normalizer.js';
import {readSentencePieceModel} from './sentencepiece-model.js';
import {frames} from './tokenizer-frame.js';
import type {TokenizerParts} from './tokenizer-parts.js';
import {specialTokens, type TokenizerSettings} from './tokenizer-settings.js';
import {unigram} from './unigram.js';
import {vocabularyOf, vocabularyOfLines, vocabularyOfPieces} from './vocabulary.js';
import {readWordPiece} from './wordpiece.js';

/** vocab.txt: BERT, ELECTRA, DistilBERT. */
export function readVocabTxt(folder: string, content: string, settings: TokenizerSettings): TokenizerParts {
  const file = `${folder}/vocab.txt`;
  const vocabulary = vocabularyOfLines(file, linesOf(content));
  const {idOf, ...tokens} = specialTokens(file, vocabulary, settings, {family: 'bert'});
  return {
    ...tokens,
    normalize: readBertNormalizer(`${folder}/tokenizer_config.json`, {}, settings.flags),
    tokenize: readWordPiece(file, {}, vocabulary, idOf('unk_token')),
    frame: frames.bert(idOf('cls_token'), idOf('sep_token')),
    padTokenId: idOf('pad_token'),
  };
}

/** vocab.json and merges.txt: RoBERTa. */
export function readVocabJson(
  folder: string,
  {content, merges}: {content: string; merges: string},
  settings: TokenizerSettings,
): TokenizerParts {
  const file = `${folder}/vocab.json`;
  const vocabulary = vocabularyOf(file, parseJson(file, content), 'it');
  const {idOf, ...tokens} = specialTokens(file, vocabulary, settings, {family: 'roberta'});
  const lines = linesOf(merges);
  if (lines[0]?.startsWith('#version')) lines.shift();
  return {
    ...tokens,
    normalize: text => text,
    tokenize: byteLevelBpe({
      vocabulary,
      merges: readMerges(`${folder}/merges.txt`, lines, vocabulary),
      addsPrefixSpace: flag(
        `${folder}/tokenizer_config.json`,
        settings.flags.add_prefix_space ?? false,
        'add_prefix_space',
      ),
    }),
    frame: frames.roberta(idOf('cls_token'), idOf('sep_token')),
    padTokenId: idOf('pad_token'),
  };
}

/**
 * spm.model: DeBERTa-v2 and v3. The same as its fast tokenizer in transformers 4, with which the models were trained: characters that
 * the vocabulary lacks are [UNK], though the model has bytes for them to fall back to.
 */
export function readSpmModel(folder: string, bytes: Uint8Array, settings: TokenizerSettings): TokenizerParts {
  const file = `${folder}/spm.model`;
  const model = readSentencePieceModel(file, bytes);
  const vocabulary = vocabularyOfPieces(file, model.pieces);
  const symbols = model.symbolIds.map(id => ({...literal, id, content: model.pieces[id]}));
  // The mask comes after the pieces: DeBERTa's are trained without it.
  const mask = settings.named.get('mask_token')?.content ?? '[MASK]';
  const isNew = !vocabulary.has(mask) && !settings.added.some(({content}) => content === mask);
  const listed = isNew ? [...symbols, {...literal, id: model.pieces.length, content: mask}] : symbols;
  const {idOf, ...tokens} = specialTokens(file, vocabulary, settings, {family: 'bert', listed});
  const config = `${folder}/tokenizer_config.json`;
  const setting = (key: string) => flag(config, settings.flags[key] ?? false, key);
  if (setting('split_by_punct')) throw unsupported(config, 'split_by_punct true', 'false');
  return {
    ...tokens,
    normalize: debertaNormalizer(file, model.charsmap, setting('do_lower_case')),
    tokenize: unigram(file, model),
    frame: frames.bert(idOf('cls_token'), idOf('sep_token')),
    padTokenId: idOf('pad_token'),
  };
}

const literal = {isSingleWord: false, stripsLeft: false, stripsRight: false, isNormalized: false};

function linesOf(content: string): string[] {
  const lines = content.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
