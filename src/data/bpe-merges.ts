// Merges of a byte-pair encoding, as tokenizer.json or merges.txt lists them → ranks of pairs of ids, and words merged by them.
import {brief, invalid, maxVocabulary} from './json-fields.js';

export interface Merges {
  /** By pair of ids, see pairKey. */
  ranks: Map<number, number>;
  /** By rank: the id that the pair becomes. */
  results: number[];
}

/** Ids are below 2^24. */
const pairKey = (left: number, right: number) => left * maxVocabulary + right;

/** entries: 'a b' or ['a', 'b'], the first rank first. MODEL_INVALID for others and for tokens that the vocabulary lacks. */
export function readMerges(file: string, entries: unknown[], vocabulary: Map<string, number>): Merges {
  const merges: Merges = {ranks: new Map(), results: []};
  if (entries.length >= maxVocabulary / 2)
    throw invalid(file, `it must have fewer than ${maxVocabulary / 2} merges, found ${entries.length}`);
  for (const [rank, entry] of entries.entries()) {
    const pair: unknown = typeof entry === 'string' ? entry.split(' ') : entry;
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string' || typeof pair[1] !== 'string')
      throw invalid(file, `merge ${rank} must be two tokens, found ${brief(entry)}`);
    const [left, right, whole] = [pair[0], pair[1], pair[0] + pair[1]].map(token => {
      const id = vocabulary.get(token);
      if (id === undefined)
        throw invalid(file, `merge ${rank} must name tokens of the vocabulary, found ${brief(token)}`);
      return id;
    });
    merges.ranks.set(pairKey(left, right), rank);
    merges.results.push(whole);
  }
  return merges;
}

/** The pair of the lowest rank is merged first, of equal ones the leftmost, until no pair is left that has a rank. */
export function merged(symbols: number[], {ranks, results}: Merges): number[] {
  if (symbols.length < 2) return symbols;
  const previous = symbols.map((_, i) => i - 1);
  const next = symbols.map((_, i) => i + 1);
  const rankAt = (left: number): number | undefined =>
    next[left] < symbols.length ? ranks.get(pairKey(symbols[left], symbols[next[left]])) : undefined;
  const queue = new Queue();
  const enqueue = (left: number) => {
    const rank = rankAt(left);
    if (rank !== undefined) queue.push(rank * 2 ** 28 + left);
  };
  for (let i = 0; i + 1 < symbols.length; i++) enqueue(i);
  for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
    const left = entry % 2 ** 28;
    const rank = Math.floor(entry / 2 ** 28);
    // A pair that another merge took a symbol of has another rank now, or none.
    if (next[left] < 0 || rankAt(left) !== rank) continue;
    const right = next[left];
    symbols[left] = results[rank];
    next[left] = next[right];
    if (next[right] < symbols.length) previous[next[right]] = left;
    next[right] = -1;
    enqueue(left);
    if (previous[left] >= 0) enqueue(previous[left]);
  }
  return symbols.filter((_, i) => next[i] >= 0);
}

/** The smallest number first: a binary heap. */
class Queue {
  private readonly heap: number[] = [];

  push(value: number): void {
    let i = this.heap.push(value) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (this.heap[parent] <= value) break;
      this.heap[i] = this.heap[parent];
      i = parent;
    }
    this.heap[i] = value;
  }

  pop(): number | undefined {
    const [smallest] = this.heap;
    const last = this.heap.pop();
    if (last === undefined || this.heap.length === 0) return smallest;
    const {heap} = this;
    let i = 0;
    for (let child = 1; child < heap.length; child = 2 * i + 1) {
      if (child + 1 < heap.length && heap[child + 1] < heap[child]) child++;
      if (heap[child] >= last) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
    return smallest;
  }
}
