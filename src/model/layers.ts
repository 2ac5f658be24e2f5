// The layers of a transformer but attention, made of TensorFlow's own ops, with their gradients written out: fewer passes than the tape's.
// T tokens · D hidden · F any width
import type {Activation} from '../data/types.js';
import {differentiable} from './differentiable.js';
import {execute, type Tensor, tf} from './tensorflow.js';

/** x_TD, weight [F, D] as PyTorch keeps it, bias [F] → [T, F]. */
export const dense = differentiable({
  forward: (x, weight, bias) => ({value: biasAdd(product(x, weight, false, true), bias), saved: [x, weight]}),
  backward: (dy, [x, weight]) => [product(dy, weight), product(dy, x, true, false), biasGradient(dy)],
});

/** x_TE, weight [F, E] → [T, F]. */
export const productWith = differentiable({
  forward: (x, weight) => ({value: product(x, weight, false, true), saved: [x, weight]}),
  backward: (dy, [x, weight]) => [product(dy, weight), product(dy, x, true, false)],
});

/** Of two matrices. tfjs's own makes batches of one of them. */
function product(a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor {
  const attributes = {T: {type: 'float32'}, transpose_a: {bool: transposeA}, transpose_b: {bool: transposeB}} as const;
  return execute('MatMul', attributes, [a, b])[0];
}

/** Layer norm of x + residual over the last axis, with the biased variance. Both inputs are [T, D]. */
export function addNorm(x: Tensor, residual: Tensor, scale: Tensor, offset: Tensor, epsilon: number): Tensor {
  return differentiable({
    forward: (x, residual, scale, offset) => normalise(tf.add(x, residual), scale, offset, epsilon),
    backward: (dy, saved) => {
      const [dx, dScale, dOffset] = normaliseGradient(dy, saved);
      return [dx, dx.clone(), dScale, dOffset];
    },
  })(x, residual, scale, offset);
}

/** Layer norm of x over the last axis, with the biased variance. */
export function norm(x: Tensor, scale: Tensor, offset: Tensor, epsilon: number): Tensor {
  return differentiable({
    forward: (x, scale, offset) => normalise(x, scale, offset, epsilon),
    backward: normaliseGradient,
  })(x, scale, offset);
}

/** Rows of a table; the gradient of a row is the sum over its uses. */
export function embedding(table: Tensor, ids_T: Tensor): Tensor {
  const [numRows] = table.shape;
  return differentiable({
    forward: table => ({value: gatherRows(table, ids_T), saved: [ids_T]}),
    backward: (dy, [ids_T]) => [tf.unsortedSegmentSum(dy, ids_T as ReturnType<typeof tf.tensor1d>, numRows)],
  })(table);
}

/** Without tfjs's own check of every index, for which it reads them back; TensorFlow checks them on a CPU. */
export function gatherRows(x: Tensor, indices: Tensor): Tensor {
  const types = {Tparams: {type: 'float32'}, Tindices: {type: 'int32'}, Taxis: {type: 'int32'}} as const;
  return execute('GatherV2', {batch_dims: {int: 0}, ...types}, [x, indices, tf.scalar(0, 'int32')])[0];
}

/** x/2 (1 + erf(x/√2)); Hendrycks and Gimpel, arXiv 1606.08415. */
const gelu = differentiable({
  forward: x => {
    const cdf = tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
    return {value: tf.mul(x, cdf), saved: [x, cdf]};
  },
  backward: (dy, [x, cdf]) => {
    // The normal density, its constant inside the exponent to save a pass.
    const density = tf.exp(tf.sub(-0.5 * Math.log(2 * Math.PI), tf.mul(tf.square(x), 0.5)));
    return [tf.mul(dy, tf.add(cdf, tf.mul(x, density)))];
  },
});

/** x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))): the approximation that transformers calls gelu_new. */
const geluTanh = (x: Tensor) => {
  const inner = tf.mul(tf.mul(x, Math.sqrt(2 / Math.PI)), tf.add(tf.mul(tf.square(x), 0.044715), 1));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
};

export const activations: Record<Activation, (x: Tensor) => Tensor> = {
  gelu,
  relu: differentiable({
    forward: x => ({value: tf.relu(x), saved: [x]}),
    backward: (dy, [x]) => [execute('ReluGrad', {T: {type: 'float32'}}, [dy, x])[0]],
  }),
  gelu_new: geluTanh,
  tanh: x => tf.tanh(x),
};

function biasAdd(x: Tensor, bias: Tensor): Tensor {
  return execute('BiasAdd', {T: {type: 'float32'}, data_format: {string: 'NHWC'}}, [x, bias])[0];
}

function biasGradient(dy: Tensor): Tensor {
  return execute('BiasAddGrad', {T: {type: 'float32'}, data_format: {string: 'NHWC'}}, [dy])[0];
}

function normalise(x: Tensor, scale: Tensor, offset: Tensor, epsilon: number): {value: Tensor; saved: Tensor[]} {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const inverseDeviation = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
  const normal = tf.mul(centred, inverseDeviation);
  return {value: tf.add(tf.mul(normal, scale), offset), saved: [normal, inverseDeviation, scale]};
}

function normaliseGradient(dy: Tensor, [normal, inverseDeviation, scale]: Tensor[]): Tensor[] {
  const dNormal = tf.mul(dy, scale);
  const dyNormal = tf.mul(dy, normal);
  const along = tf.mean(tf.mul(dNormal, normal), -1, true);
  const dCentred = tf.sub(tf.sub(dNormal, tf.mean(dNormal, -1, true)), tf.mul(normal, along));
  return [tf.mul(dCentred, inverseDeviation), biasGradient(dyNormal), biasGradient(dy)];
}
