// The layer set of our own kernels (kernels/), each of which is one pass over its inputs where TensorFlow's ops make many. On a CPU only.

import type {RelativeLayout} from './attention.js';
import {composedLayers} from './composed-layers.js';
import {differentiable} from './differentiable.js';
import type {DropoutSite, LayerSet, PositionTables} from './layer-set.js';
import {activations} from './layers.js';
import {type AttributeValue, execute, type Tensor, tf} from './tensorflow.js';

/** seeds [numSites, 2] int32; without them there is no dropout. Layers that nobody will ask for a gradient keep nothing for it. */
export function fusedLayers(seeds?: Tensor, {forGradient = true} = {}): LayerSet {
  const sites = seeds && tf.unstack(seeds);
  const none = tf.zeros([2], 'int32');
  const drawn = ({rate, site}: DropoutSite) => ({rate: sites ? rate : 0, seed: sites ? sites[site] : none});
  return {
    ...composedLayers(seeds),
    activation: (name, x) => (name === 'gelu' ? gelu(x) : activations[name](x)),
    addNorm: (x, residual, {scale, offset, epsilon}, site) => {
      const inputs = [x, residual, scale, offset];
      return forGradient ? addNorm(inputs, epsilon, drawn(site)) : normOnly(inputs, epsilon, drawn(site));
    },
    dropout: (x, site) => dropout(x, drawn(site)),
    attention: (qkv, {starts}, numHeads, site) => attention(qkv, starts, numHeads, drawn(site)),
    relativeAttention: (qkv, layout, tables, numHeads, site) =>
      relativeAttention(qkv, layout, tables, numHeads, drawn(site)),
  };
}

interface Drawn {
  rate: number;
  /** [2] int32 */
  seed: Tensor;
}

const T = {type: 'float32'} as const;
const one = (op: string, attributes: Record<string, AttributeValue>, inputs: Tensor[]) =>
  execute(op, {T, ...attributes}, inputs)[0];

const gelu = differentiable({
  forward: x => ({value: one('FtftGelu', {}, [x]), saved: [x]}),
  backward: (dy, [x]) => [one('FtftGeluGrad', {}, [dy, x])],
});

function dropout(x: Tensor, {rate, seed}: Drawn): Tensor {
  if (rate === 0) return x.clone();
  const apply = (x: Tensor) => one('FtftDropout', {rate: {float: rate}}, [x, seed]);
  return differentiable({forward: x => ({value: apply(x), saved: []}), backward: dy => [apply(dy)]})(x);
}

/** inputs: x, residual, scale, offset. */
function addNorm(inputs: Tensor[], epsilon: number, site: Drawn): Tensor {
  const rate = {float: site.rate};
  return differentiable({
    forward: (...inputs) => {
      const attributes = {T, rate, epsilon: {float: epsilon}, for_gradient: {bool: true}};
      const [value, normal, inverse] = execute('FtftAddNorm', attributes, [...inputs, site.seed], 3);
      return {value, saved: [normal, inverse, inputs[2]]};
    },
    backward: (dy, saved) => execute('FtftAddNormGrad', {T, rate}, [dy, ...saved, site.seed], 4),
  })(...inputs);
}

function normOnly(inputs: Tensor[], epsilon: number, {rate, seed}: Drawn): Tensor {
  const attributes = {T, rate: {float: rate}, epsilon: {float: epsilon}, for_gradient: {bool: false}};
  return execute('FtftAddNorm', attributes, [...inputs, seed], 3)[0];
}

function attention(qkv: Tensor, starts: Tensor, numHeads: number, {rate, seed}: Drawn): Tensor {
  const attributes = {T, rate: {float: rate}, num_heads: {int: numHeads}};
  return differentiable({
    forward: qkv => {
      const [value, logSums] = execute('FtftAttention', attributes, [qkv, starts, seed], 2);
      return {value, saved: [value, qkv, logSums]};
    },
    backward: (dy, saved) => execute('FtftAttentionGrad', attributes, [dy, ...saved, starts, seed]),
  })(qkv);
}

function relativeAttention(
  qkv: Tensor,
  {starts, slots}: RelativeLayout,
  {keys, queries}: PositionTables,
  numHeads: number,
  {rate, seed}: Drawn,
): Tensor {
  const attributes = {T, rate: {float: rate}, num_heads: {int: numHeads}};
  // What a table without rows stands for: its term is absent.
  const none = tf.zeros([0, qkv.shape[1]! / 3]);
  return differentiable({
    forward: (...inputs) => {
      const [qkv, ...tables] = inputs;
      const given = [qkv, starts, seed, ...tables, slots!];
      const [value, logSums] = execute('FtftRelativeAttention', attributes, given, 2);
      return {value, saved: [value, qkv, logSums, ...tables]};
    },
    backward: (dy, [value, qkv, logSums, ...tables]) => {
      const given = [dy, value, qkv, logSums, starts, seed, ...tables, slots!];
      return execute('FtftRelativeAttentionGrad', attributes, given, 3);
    },
  })(qkv, keys ?? none, queries ?? none);
}
