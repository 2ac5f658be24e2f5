// Columns of right and wrong, epoch after epoch, in; how often each instance was right and was forgotten out. Four instances at a time, each in
// a byte of a word.
import type {DataMap} from './types.js';

type CorrectnessColumns = Pick<DataMap, 'correctness' | 'forgettingEvents' | 'isWrongAtLast'>;

/** A byte counts no further. */
const mostCounted = 255;

export class CorrectnessCounter {
  private before = new Lanes();
  private now = new Lanes();
  private right = new Lanes();
  private forgotten = new Lanes();
  private pending = 0;
  /** Counts of instances that were right at more epochs than a byte can tell. */
  private carried: {correctness: Uint32Array; forgettingEvents: Uint32Array} | undefined;

  /** The next epoch of the instances; how many of them were right. isCorrect: 0 and 1. */
  add(isCorrect: Uint8Array, {from, count}: {from: number; count: number}): number {
    if (this.pending === 0 && !this.carried) this.clear(count);
    if (this.pending === mostCounted) this.carry(count);
    [this.before, this.now] = [this.now, this.before];
    const {before, now, right, forgotten} = this;
    now.bytes.set(isCorrect.subarray(from, from + count));
    this.pending++;
    return countWords(before.words, now.words, right.words, forgotten.words);
  }

  /** Adds what was counted to the columns from `at` on, and begins anew. */
  finish({correctness, forgettingEvents, isWrongAtLast}: CorrectnessColumns, {count, at}: {count: number; at: number}) {
    const {right, forgotten, now, carried} = this;
    for (let i = 0; i < count; i++) correctness[at + i] = right.bytes[i];
    for (let i = 0; i < count; i++) forgettingEvents[at + i] = forgotten.bytes[i];
    for (let i = 0; i < count; i++) isWrongAtLast[at + i] = now.bytes[i] ^ 1;
    for (let i = 0; carried && i < count; i++) {
      correctness[at + i] += carried.correctness[i];
      forgettingEvents[at + i] += carried.forgettingEvents[i];
    }
    this.carried = undefined;
    this.pending = 0;
  }

  private clear(count: number): void {
    for (const lanes of [this.before, this.now, this.right, this.forgotten]) lanes.clear(count);
  }

  private carry(count: number): void {
    this.carried ??= {correctness: new Uint32Array(count), forgettingEvents: new Uint32Array(count)};
    for (let i = 0; i < count; i++) {
      this.carried.correctness[i] += this.right.bytes[i];
      this.carried.forgettingEvents[i] += this.forgotten.bytes[i];
    }
    this.right.clear(count);
    this.forgotten.clear(count);
    this.pending = 0;
  }
}

/** The same bytes one by one and as words; those after the last one are 0. */
class Lanes {
  words = new Uint32Array();
  bytes = new Uint8Array();

  clear(count: number): void {
    const numWords = Math.ceil(count / 4);
    if (this.words.length === numWords) this.words.fill(0);
    else {
      this.words = new Uint32Array(numWords);
      this.bytes = new Uint8Array(this.words.buffer);
    }
  }
}

/** Forgotten is what was right before and is not now. The sum of all bytes of now. */
function countWords(before: Uint32Array, now: Uint32Array, right: Uint32Array, forgotten: Uint32Array): number {
  let total = 0;
  for (let w = 0; w < now.length; w++) {
    const word = now[w];
    right[w] += word;
    forgotten[w] += before[w] & ~word;
    // The product's highest byte is the sum of the four.
    total += Math.imul(word, 0x01010101) >>> 24;
  }
  return total;
}
