// A padded batch of typed arrays → the tensors that the encoder reads, without the padding.
import type {Batch} from '../data/types.js';
import type {BertInputs} from './bert.js';
import {tf} from './tensorflow.js';

/** Far below any score, far above float32's minimum: a score plus this is still finite, and its exponential is 0. */
const masked = -1e9;

/** The first token of a row counts as real whatever its mask says: the head reads it. */
export function batchInputs(batch: Batch): BertInputs {
  const {batchSize: B, length: L, attentionMask} = batch;
  const tokens = new Int32Array(B * L);
  const firstTokens = new Int32Array(B);
  const places: number[] = [];
  for (let place = 0; place < B * L; place++) {
    const row = Math.floor(place / L);
    if (place === row * L) firstTokens[row] = places.length;
    tokens[place] = firstTokens[row];
    if (attentionMask[place] === 0 && place !== row * L) continue;
    tokens[place] = places.length;
    places.push(place);
  }
  const ints = (values: Int32Array) => tf.tensor1d(values, 'int32');
  const pick = (value: (place: number) => number) => ints(Int32Array.from(places, value));
  return {
    places: pick(place => place),
    tokens: tf.tensor2d(tokens, [B, L], 'int32'),
    maskBias: tf.tensor4d(
      Float32Array.from(attentionMask, bit => (bit === 0 ? masked : 0)),
      [B, 1, 1, L],
    ),
    ids: pick(place => batch.inputIds[place]),
    typeIds: pick(place => batch.tokenTypeIds[place]),
    positions: pick(place => place % L),
    firstTokens: ints(firstTokens),
    starts: ints(Int32Array.of(...firstTokens, places.length)),
  };
}
