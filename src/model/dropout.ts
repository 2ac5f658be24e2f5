// Dropout whose mask is a pure function of a seed tensor: the same seed and shape give the same bits, so a resumed run repeats itself.
import {statelessSeed} from '../random.js';
import {differentiable} from './differentiable.js';
import {execute, type Tensor, tf} from './tensorflow.js';

/**
 * Drops a share of x at a place of the model that has a seed of its own; the identity where there is no dropout. `axis`, the last unless said
 * otherwise, is one whose size the model fixes.
 */
export type Dropout = (x: Tensor, rate: number, site: number, axis?: number) => Tensor;

export const noDropout: Dropout = x => x.clone();

/** [numSites, 2] int32: what the masks of one step are drawn from. */
export function dropoutSeeds(seed: number, step: number, numSites: number): Tensor {
  const seeds = Array.from({length: numSites}, (_, site) => statelessSeed(seed, 'dropout', step, site));
  return tf.tensor2d(seeds, [numSites, 2], 'int32');
}

export function seededDropout(seeds: Tensor): Dropout {
  const sites = tf.unstack(seeds);
  return (x, rate, site, axis) => (rate === 0 ? x.clone() : dropout(x, rate, sites[site], axis));
}

/** Values that stay are scaled by 1 / (share kept), so that the expectation is x. */
export function dropout(x: Tensor, rate: number, seed: Tensor, axis?: number): Tensor {
  const scale = 1 / (1 - roundedRate(rate));
  const apply = (x: Tensor, isKept: Tensor) => tf.mul(x, tf.mul(tf.cast(isKept, 'float32'), scale));
  return differentiable({
    forward: x => {
      const isKept = dropoutMask(x.shape, rate, seed, axis);
      return {value: apply(x, isKept), saved: [isKept]};
    },
    backward: (dy, [isKept]) => [apply(dy, isKept)],
  })(x);
}

/**
 * True where a value stays. Random numbers are most of dropout's time, so where the axis has an even size each 32-bit one serves two values,
 * one in each half of the axis: one by its upper, one by its lower half. The rate is a multiple of 2^-16.
 */
export function dropoutMask(shape: number[], rate: number, seed: Tensor, axis = shape.length - 1): Tensor {
  const isShared = shape[axis] % 2 === 0;
  const half = tf.tensor1d(isShared ? shape.with(axis, shape[axis] / 2) : shape, 'int32');
  const attributes = {dtype: {type: 'int32'}, T: {type: 'int32'}, Tseed: {type: 'int32'}} as const;
  const [words] = execute('StatelessRandomUniformFullInt', attributes, [half, seed]);
  // Signed: the lowest share `rate` of all words is dropped. The low half of the threshold is zero, so only the upper half of a word counts.
  const threshold = tf.scalar(-(2 ** 31) + roundedRate(rate) * 2 ** 32, 'int32');
  const isKept = tf.greaterEqual(words, threshold);
  if (!isShared) return isKept;
  const [lowHalves] = execute('LeftShift', {T: {type: 'int32'}}, [words, tf.scalar(16, 'int32')]);
  return tf.concat([isKept, tf.greaterEqual(lowHalves, threshold)], axis);
}

/** The rate that the masks have. */
export function roundedRate(rate: number): number {
  return Math.round(rate * 2 ** 16) / 2 ** 16;
}
