// Lengths of texts → the layout of their batch.
import type {Layout} from '../../src/model/attention.js';
import {layoutOf} from '../../src/model/batch-inputs.js';

export function textLayout(lengths: readonly number[]): Layout {
  const length = Math.max(...lengths);
  const size = lengths.length * length;
  return layoutOf({
    instances: Int32Array.from(lengths, (_, i) => i),
    inputIds: new Int32Array(size),
    tokenTypeIds: new Int32Array(size),
    attentionMask: Int32Array.from({length: size}, (_, i) => (i % length < lengths[Math.floor(i / length)] ? 1 : 0)),
    labels: new Int32Array(lengths.length),
    batchSize: lengths.length,
    length,
  });
}
