// Multi-head self-attention over padded sequences, between layers that see real tokens only.
// B batch · L length · T real tokens · D hidden · N heads · H = D / N
import {differentiable} from './differentiable.js';
import {gatherRows} from './layers.js';
import {type Tensor, tf} from './tensorflow.js';

/** Where the T real tokens of a batch lie in its [B, L] grid. */
export interface Layout {
  /** [T] int32: place of each token in the flattened grid, ascending. */
  places: Tensor;
  /** [B, L] int32: token at each place; any token at padding, whose key is masked and whose query nobody reads. */
  tokens: Tensor;
  /** [B, 1, 1, L] float32: 0 for real keys, very negative for padding. */
  maskBias: Tensor;
  /** [B + 1] int32: where each row begins among the tokens, and their number. */
  starts: Tensor;
}

/** What DeBERTa's layers read beside it; each only for models that have the layer. */
export interface RelativeLayout extends Layout {
  /** [P] int32: the rows of the table of relative positions that the batch needs. */
  relativeRows?: Tensor;
  /** [2M + 1] int32: which of them is for the distance of a query from its key, from -M to M. */
  slots?: Tensor;
  /** [L, L] int32: the same for query i and key j, plus i * P. */
  querySlots?: Tensor;
  /** [L, L] int32: the same for query i and key j, plus j * P. */
  keySlots?: Tensor;
  /** [T, K] int32: the tokens around each token of a text, itself in the middle; -1 beyond the text. */
  neighbours?: Tensor;
}

/** qkv_T3D, queries, keys and values side by side → context [T, D]. Softmax(q kᵀ / √H + mask), or other probabilities, dropout, times v. */
export function attention(
  qkv: Tensor,
  layout: Layout,
  numHeads: number,
  dropoutOf: (probabilities: Tensor) => Tensor,
  probabilitiesOf = (q: Tensor, k: Tensor) => attentionProbabilities(q, k, layout.maskBias),
): Tensor {
  const [B, L] = layout.tokens.shape as [number, number];
  const D = qkv.shape[1]! / 3;
  const H = D / numHeads;
  const grid = toGrid(qkv, layout);
  const split = tf.transpose(tf.reshape(grid, [B, L, 3, numHeads, H]), [2, 0, 3, 1, 4]);
  const [q, k, v] = tf.unstack(split);
  const probabilities = probabilitiesOf(q, k);
  const dropped = dropoutOf(probabilities);
  const context = weightedSum(dropped, v);
  const merged = toTokens(tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [B * L, D]), layout);
  tf.dispose([grid, split, q, k, v, probabilities, dropped, context]);
  return merged;
}

/** Softmax(q kᵀ / √H + bias) over the keys, [B, N, L, L]. */
export function attentionProbabilities(q: Tensor, k: Tensor, bias: Tensor): Tensor {
  const scale = 1 / Math.sqrt(q.shape[3]!);
  return differentiable({
    forward: (q, k) => {
      const scaled = tf.mul(q, scale);
      const value = tf.softmax(tf.add(tf.matMul(scaled, k, false, true), bias));
      return {value, saved: [scaled, k, value]};
    },
    backward: (dy, [scaled, k, value]) => {
      const product = tf.mul(dy, value);
      const dScores = tf.sub(product, tf.mul(value, tf.sum(product, -1, true)));
      return [tf.mul(tf.matMul(dScores, k), scale), tf.matMul(dScores, scaled, true, false)];
    },
  })(q, k);
}

const weightedSum = differentiable({
  forward: (p, v) => ({value: tf.matMul(p, v), saved: [p, v]}),
  backward: (dy, [p, v]) => [tf.matMul(dy, v, false, true), tf.matMul(p, dy, true, false)],
});

/** Tokens [T, W] → grid [B, L, W]. Padding holds copies whose gradient is exactly 0, since no probability falls on them and nothing reads
 * their context. */
export function toGrid(x: Tensor, {places, tokens}: Layout): Tensor {
  const W = x.shape[1]!;
  return differentiable({
    forward: x => ({value: gatherRows(x, tokens), saved: []}),
    backward: dy => [gatherRows(tf.reshape(dy, [tokens.size, W]), places)],
  })(x);
}

/** Grid [B * L, W] → tokens. */
function toTokens(x: Tensor, {places}: Layout): Tensor {
  const shape = x.shape as [number, number];
  return differentiable({
    forward: x => ({value: gatherRows(x, places), saved: []}),
    backward: dy => [tf.scatterND(tf.expandDims(places, 1), dy, shape)],
  })(x);
}
