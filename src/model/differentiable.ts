// A function of tensors with its own gradient → the same function on the tape, which frees what it keeps as soon as it is of no more use.
import {type Tensor, tf} from './tensorflow.js';

/** Keeps tensors from forward to backward; it sees them as clones, so that the originals may be disposed. */
export type Save = (tensors: Tensor[]) => void;

interface Differentiable {
  /** The value, and what backward needs. */
  forward: (...inputs: Tensor[]) => {value: Tensor; saved: Tensor[]};
  /** Gradient of each input, from that of the value. */
  backward: (dy: Tensor, saved: Tensor[]) => Tensor[];
}

/**
 * tf.customGrad, but with a tidy around the backward pass, and with the saved tensors and dy disposed after it: tfjs would keep them all
 * until the last gradient is known, which is most of the memory of a step. A value's gradient is asked for once, so nobody else needs them.
 */
export function differentiable({forward, backward}: Differentiable): (...inputs: Tensor[]) => Tensor {
  return tf.customGrad((...args) => {
    const save = args.pop() as unknown as Save;
    const {value, saved} = forward(...(args as Tensor[]));
    save(saved);
    const gradFunc = (dy: Tensor, kept: Tensor[]) => {
      const gradients = tf.tidy(() => backward(dy, kept));
      tf.dispose([dy, ...kept]);
      return gradients;
    };
    return {value, gradFunc};
  });
}
