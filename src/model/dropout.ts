// Dropout whose mask is a pure function of a seed, a row and a column: the same seed gives the same bits, so a resumed run repeats itself, and
// neither padding nor the number of threads changes them.
import {statelessSeed} from '../random.js';
import {differentiable} from './differentiable.js';
import {execute, type Tensor, tf} from './tensorflow.js';

/** [numSites, 2] int32: what the masks of one step are drawn from. */
export function dropoutSeeds(seed: number, step: number, numSites: number): Tensor {
  const seeds = Array.from({length: numSites}, (_, site) => statelessSeed(seed, 'dropout', step, site));
  return tf.tensor2d(seeds, [numSites, 2], 'int32');
}

/**
 * Values that stay are scaled by 1 / (share kept), so that the expectation is x. `seed` [2]; `rows`, int32, has x's shape but for its last
 * axis, which is 1, and tells the rows apart.
 */
export function dropout(x: Tensor, rate: number, seed: Tensor, rows: Tensor = range(x.shape[0]).expandDims(1)): Tensor {
  const scale = 1 / (1 - roundedRate(rate));
  const apply = (x: Tensor, isKept: Tensor) => tf.mul(x, tf.mul(tf.cast(isKept, 'float32'), scale));
  return differentiable({
    forward: x => {
      const isKept = dropoutMask(rows, x.shape.at(-1)!, rate, seed);
      return {value: apply(x, isKept), saved: [isKept]};
    },
    backward: (dy, [isKept]) => [apply(dy, isKept)],
  })(x);
}

/** True where a value stays: rows [..., 1] → [..., columns]. */
export function dropoutMask(rows: Tensor, columns: number, rate: number, seed: Tensor): Tensor {
  return tf.tidy(() => {
    const [first, second] = tf.unstack(seed);
    const row = scatter(tf.add(scatter(bitwise('BitwiseXor', rows, first)), second));
    const words = scatter(tf.add(range(columns), row));
    return tf.greaterEqual(words, tf.scalar(-(2 ** 31) + roundedRate(rate) * 2 ** 32, 'int32'));
  });
}

/** The rate that the masks have: a multiple of 2^-16. */
export function roundedRate(rate: number): number {
  return Math.round(rate * 2 ** 16) / 2 ** 16;
}

/** int32 [0, ..., size - 1]. */
export function range(size: number): Tensor {
  const bounds = [0, size, 1].map(n => tf.scalar(n, 'int32'));
  return execute('Range', {Tidx: {type: 'int32'}}, bounds)[0];
}

/** A permutation of the 32-bit words that scatters well: "lowbias32" of Chris Wellons' hash prospector. */
function scatter(x: Tensor): Tensor {
  const shiftXor = (x: Tensor, bits: number) => {
    const shifted = bitwise('RightShift', x, tf.scalar(bits, 'int32'));
    // Without the copies of the sign that shifting an int32 brings in.
    return bitwise('BitwiseXor', x, bitwise('BitwiseAnd', shifted, tf.scalar(2 ** (32 - bits) - 1, 'int32')));
  };
  const times = (x: Tensor, factor: number) => tf.mul(x, tf.scalar(factor | 0, 'int32'));
  return shiftXor(times(shiftXor(times(shiftXor(x, 16), 0x7feb352d), 15), 0x846ca68b), 16);
}

function bitwise(op: 'BitwiseXor' | 'BitwiseAnd' | 'RightShift', a: Tensor, b: Tensor): Tensor {
  return execute(op, {T: {type: 'int32'}}, [a, b])[0];
}
