// Stage 1 of 6: labelled texts in, columns of token ids out.
import type {Tokenizer} from '../data/types.js';
import type {Example, TokenizedDataset} from './types.js';

/** maxLength counts special tokens too. Throws RangeError for a label that is no class index: readers check labels before. */
export function tokenize(
  examples: Example[],
  tokenizer: Tokenizer,
  {maxLength, numClasses}: {maxLength: number; numClasses: number},
): TokenizedDataset {
  const offsets = new Int32Array(examples.length + 1);
  const secondStarts = new Int32Array(examples.length);
  const labels = new Int32Array(examples.length);
  let inputIds = new Int32Array(Math.max(1024, examples.length * 32));
  for (const [i, {text, textPair, label, uid}] of examples.entries()) {
    if (!Number.isInteger(label) || label < 0 || label >= numClasses)
      throw new RangeError(
        `Label of instance ${uid} must be a class index below ${numClasses}, current value is ${label}`,
      );
    const {ids, secondStart} = tokenizer.encode(text, textPair, maxLength);
    const end = offsets[i] + ids.length;
    if (end > inputIds.length) inputIds = grown(inputIds, end);
    inputIds.set(ids, offsets[i]);
    offsets[i + 1] = end;
    secondStarts[i] = secondStart;
    labels[i] = label;
  }
  return {
    inputIds: inputIds.slice(0, offsets[examples.length]),
    offsets,
    secondStarts,
    labels,
    numClasses,
    padTokenId: tokenizer.padTokenId,
  };
}

function grown(ids: Int32Array<ArrayBuffer>, atLeast: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(atLeast, 2 * ids.length));
  larger.set(ids);
  return larger;
}
