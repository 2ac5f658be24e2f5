// The normalizer of a tokenizer.json, or what a family has in its place → a function from text to normalised text.
import {endOfSpace, startOfSpace} from './added-tokens.js';
import {charsmapNormalizer} from './charsmap.js';
import {brief, flag, type Json, list, object, text as textField, unsupported} from './json-fields.js';

export type Normalize = (text: string) => string;

interface BertNormalizerOptions {
  isLowerCased: boolean;
  stripsAccents: boolean;
  splitsIdeographs: boolean;
  cleansText: boolean;
}

const removed = /[\0\ufffd]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu;
const whiteSpace = /\p{White_Space}/gu;
const ideograph =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
const nonSpacingMark = /\p{Mn}/gu;
const isPlain = /^[\t\n\r -~]*$/;

/** Character by character a sigma knows no end of a word; all other lower-casing is free of context anyway. */
const lowerCase: Normalize = text => text.replaceAll('Σ', 'σ').toLowerCase();
/** Runs of spaces as one, as SentencePiece does; the fast tokenizers of DeBERTa have it as a Replace. */
const joinSpaces: Normalize = text => (text.includes('  ') ? text.replace(/ {2,}/g, ' ') : text);

function bertNormalizer(options: BertNormalizerOptions): Normalize {
  const {cleansText, splitsIdeographs, stripsAccents, isLowerCased} = options;
  return text => {
    // Most English texts need none of the Unicode rules.
    if (isPlain.test(text)) return isLowerCased ? text.toLowerCase() : text;
    let result = text;
    if (cleansText) result = result.replace(removed, '').replace(whiteSpace, ' ');
    if (splitsIdeographs) result = result.replace(ideograph, ' $& ');
    if (stripsAccents) result = result.normalize('NFD').replace(nonSpacingMark, '');
    return isLowerCased ? lowerCase(result) : result;
  };
}

/** What transformers 4 makes of an spm.model of DeBERTa; transformers 5 drops the table, with which the models were pre-trained. */
export function debertaNormalizer(file: string, charsmap: Uint8Array, isLowerCased: boolean): Normalize {
  const steps = [isLowerCased ? lowerCase : [], strip(true, true)].flat();
  if (charsmap.length > 0) steps.push(charsmapNormalizer(file, charsmap));
  return inTurn([...steps, joinSpaces]);
}

/** flags: of tokenizer_config.json, which win over what a BertNormalizer has baked in, as in transformers. */
export function readNormalizer(file: string, value: unknown, flags: Json): Normalize {
  if (value === undefined || value === null) return text => text;
  const normalizer = object(file, value, 'normalizer');
  if (normalizer.type !== 'Sequence') return readStep(file, normalizer, flags);
  const steps = list(file, normalizer.normalizers, 'normalizer.normalizers');
  if (steps.length > maxSteps) throw unsupported(file, `normalizer of ${steps.length} steps`, `${maxSteps} at most`);
  return inTurn(steps.map(step => readStep(file, object(file, step, 'a step of normalizer'), flags)));
}

export function readBertNormalizer(file: string, normalizer: Json, flags: Json): Normalize {
  const setting = (key: string, name: string, fallback: boolean) =>
    flag(file, flags[key] ?? normalizer[name] ?? fallback, key);
  const isLowerCased = setting('do_lower_case', 'lowercase', true);
  return bertNormalizer({
    isLowerCased,
    stripsAccents: setting('strip_accents', 'strip_accents', isLowerCased),
    splitsIdeographs: setting('tokenize_chinese_chars', 'handle_chinese_chars', true),
    cleansText: setting('clean_text', 'clean_text', true),
  });
}

const maxSteps = 64;

function readStep(file: string, step: Json, flags: Json): Normalize {
  switch (step.type) {
    case 'BertNormalizer':
      return readBertNormalizer(file, step, flags);
    case 'Lowercase':
      return lowerCase;
    case 'Strip':
      return strip(step.strip_left !== false, step.strip_right !== false);
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = step.type;
      return text => text.normalize(form);
    }
    case 'Precompiled': {
      const base64 = textField(file, step.precompiled_charsmap, 'precompiled_charsmap');
      return charsmapNormalizer(file, Buffer.from(base64, 'base64'));
    }
    case 'Replace':
      return readReplace(file, step);
    default:
      throw unsupported(file, `normalizer ${brief(step.type)}`, 'BertNormalizer or one of SentencePiece');
  }
}

/** Regular expressions are Oniguruma's, so that only those that our families write are read. */
function readReplace(file: string, step: Json): Normalize {
  const pattern = object(file, step.pattern, 'pattern of a Replace');
  const content = textField(file, step.content, 'content of a Replace');
  const literal = pattern.String;
  if (typeof literal === 'string' && literal !== '') return text => text.replaceAll(literal, () => content);
  if (pattern.Regex === ' {2,}' && content === ' ') return joinSpaces;
  if (pattern.Regex === '\\s{2,}|[\\n\\r\\t]') {
    const spaces = /\p{White_Space}{2,}|[\n\r\t]/gu;
    return text => text.replace(spaces, () => content);
  }
  throw unsupported(file, `Replace of ${brief(pattern.Regex ?? literal)}`, 'a text or the patterns of DeBERTa');
}

function strip(left: boolean, right: boolean): Normalize {
  return text => {
    const start = left ? endOfSpace(text, 0) : 0;
    return text.slice(start, right ? startOfSpace(text, text.length, start) : undefined);
  };
}

function inTurn(steps: Normalize[]): Normalize {
  return text => steps.reduce((result, step) => step(result), text);
}
