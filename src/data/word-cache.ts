// A function from words to token ids → the same function, which remembers the words it has seen; most words of a text are such.

/** Bounded both ways, words being the user's. */
const maxCachedWords = 1 << 16;
const maxCachedLength = 64;

export function cachedWords(split: (word: string) => number[]): (word: string) => number[] {
  const cache = new Map<string, number[]>();
  return word => {
    const known = cache.get(word);
    if (known !== undefined) return known;
    const ids = split(word);
    if (word.length > maxCachedLength) return ids;
    if (cache.size >= maxCachedWords) cache.clear();
    cache.set(copied(word), ids);
    return ids;
  };
}

/** V8 keeps the whole text alive for the sake of a slice of it. */
function copied(word: string): string {
  return word.length < 13 ? word : Buffer.from(word, 'utf16le').toString('utf16le');
}
