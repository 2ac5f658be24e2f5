// SentencePiece's precompiled_charsmap (nmt_nfkc and others) → the normalisation it stands for, as Rust's tokenizers apply it.
import {invalid} from './json-fields.js';

/** Of characters and clusters met before, so that most are found without a walk; bounded, they are the user's. */
const maxCached = 1 << 15;
const utf8 = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true});
const clusters = new Intl.Segmenter('und', {granularity: 'grapheme'});
/** Longer clusters, in bytes of UTF-8, are taken character by character. */
const maxClusterBytes = 5;
/** What makes a cluster of several characters that has so few bytes: marks, vowels that act as marks, prefixes. */
const joining =
  /[\p{M}\p{Cf}\p{Grapheme_Extend}\p{Emoji_Modifier}\u0d4e\u0e33\u0eb3\u{111c2}\u{111c3}\u{113d1}\u{1193f}\u{11941}\u{11a84}-\u{11a89}\u{11d46}\u{11f02}]|\r\n/gu;

/**
 * The format: bytes of the trie (uint32), the trie as Darts-clone lays it out (uint32 units), and the replacements it points to, each
 * ended by a zero byte. What Rust does with it is not what SentencePiece does: a cluster as a whole is replaced by what its shortest
 * prefix in the trie stands for. MODEL_INVALID for a map that leads out of itself, also from the function that is returned.
 */
export function charsmapNormalizer(file: string, bytes: Uint8Array): (text: string) => string {
  const trieBytes = bytes.length < 4 ? -1 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (trieBytes < 4 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length)
    throw invalid(file, `precompiled_charsmap must hold its trie, which is cut off or empty (${bytes.length} bytes)`);
  // A copy, since units stand at multiples of 4.
  const units = new Uint32Array(Uint8Array.from(bytes.subarray(4, 4 + trieBytes)).buffer);
  const replacements = Buffer.from(bytes.subarray(4 + trieBytes));
  const lookUp = (key: string): string | undefined => {
    const start = shortestPrefix(units, Buffer.from(key));
    if (start === undefined) return undefined;
    if (start > replacements.length) throw invalid(file, 'precompiled_charsmap must not lead out of itself');
    const end = replacements.indexOf(0, start);
    try {
      return utf8.decode(replacements.subarray(start, end < 0 ? undefined : end));
    } catch {
      throw invalid(file, `precompiled_charsmap must replace text by UTF-8, which is not so at ${start}`);
    }
  };
  const cache = new Map<string, string | undefined>();
  const replacement = (key: string): string | undefined => {
    if (cache.has(key)) return cache.get(key);
    const found = lookUp(key);
    if (cache.size >= maxCached) cache.clear();
    cache.set(key, found);
    return found;
  };
  const isKept = Array.from({length: 128}, (_, code) => lookUp(String.fromCharCode(code)) === undefined);
  const changing = `[^${isKept.map((is, code) => (is ? escaped(code) : '')).join('')}]`;
  const isChanging = new RegExp(`${changing}|\\r\\n`);
  const eachChanging = new RegExp(changing, 'gu');
  const byCharacter = (text: string) => text.replace(eachChanging, character => replacement(character) ?? character);

  return text => {
    // Most texts are ASCII that stays as it is, and most others have no cluster of several characters.
    if (!isChanging.test(text)) return text;
    const segments = clusters.segment(text);
    let result = '';
    let done = 0;
    joining.lastIndex = 0;
    for (let found = joining.exec(text); found; found = joining.exec(text)) {
      const {segment, index} = segments.containing(found.index)!;
      const whole = Buffer.byteLength(segment) <= maxClusterBytes ? replacement(segment) : undefined;
      result += byCharacter(text.slice(done, index)) + (whole ?? byCharacter(segment));
      done = index + segment.length;
      joining.lastIndex = done;
    }
    return result + byCharacter(text.slice(done));
  };
}

const escaped = (code: number) => `\\u${code.toString(16).padStart(4, '0')}`;

/** Value of the shortest prefix of the key, undefined where there is none. */
function shortestPrefix(units: Uint32Array, key: Uint8Array): number | undefined {
  let position = offset(units[0]);
  for (const byte of key) {
    position ^= byte;
    const unit = units[position];
    // A label is a byte without the bit of values; beyond the trie nothing has a label.
    if (byte === 0 || unit === undefined || (unit & 0x800000ff) !== byte) return undefined;
    position ^= offset(unit);
    const hasLeaf = (unit & 0x100) !== 0;
    if (hasLeaf) return position in units ? units[position] & 0x7fffffff : Number.POSITIVE_INFINITY;
  }
  return undefined;
}

const offset = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6);
