// DeBERTa's attention of TensorFlow's own ops: beside content to content, content to relative position and relative position to content.
// B batch · L length · N heads · H head size · P positions of the tables
import type {RelativeLayout} from './attention.js';
import {differentiable} from './differentiable.js';
import type {PositionTables} from './layer-set.js';
import {embedding} from './layers.js';
import {type Tensor, tf} from './tensorflow.js';

/**
 * Softmax((q_i·k_j + q_i·keys[i - j] + k_j·queries[i - j]) / √(H · terms) + bias) over j, [B, N, L, L]; He et al., arXiv 2006.03654, (4).
 */
export function relativeProbabilities(
  q: Tensor,
  k: Tensor,
  {maskBias, querySlots, keySlots}: RelativeLayout,
  {keys, queries}: PositionTables,
): Tensor {
  return tf.tidy(() => {
    let scores = tf.matMul(q, k, false, true);
    if (keys) scores = tf.add(scores, atPositions(q, keys, querySlots!));
    if (queries) scores = tf.add(scores, atPositions(k, queries, keySlots!));
    const numTerms = 1 + Number(keys !== undefined) + Number(queries !== undefined);
    return softmax(tf.add(tf.mul(scores, 1 / Math.sqrt(q.shape[3]! * numTerms)), maskBias));
  });
}

/** Products of x [B, N, L, H] with the rows of a table [P, N * H], each at its place among the L * P: [B, N, L, L]. */
function atPositions(x: Tensor, table: Tensor, places_LL: Tensor): Tensor {
  const [B, N, L, H] = x.shape as [number, number, number, number];
  const [P] = table.shape;
  const heads = tf.transpose(tf.reshape(table, [P, N, H]), [1, 0, 2]);
  const rows = tf.reshape(tf.transpose(x, [1, 0, 2, 3]), [N, B * L, H]);
  const products = tf.reshape(tf.matMul(rows, heads, false, true), [N, B, L, P]);
  const byPlace = tf.reshape(tf.transpose(products, [2, 3, 0, 1]), [L * P, N * B]);
  const found = embedding(byPlace, tf.reshape(places_LL, [L * L]));
  return tf.transpose(tf.reshape(found, [L, L, N, B]), [3, 2, 0, 1]);
}

const softmax = differentiable({
  forward: scores => {
    const value = tf.softmax(scores);
    return {value, saved: [value]};
  },
  backward: (dy, [value]) => {
    const product = tf.mul(dy, value);
    return [tf.sub(product, tf.mul(value, tf.sum(product, -1, true)))];
  },
});
