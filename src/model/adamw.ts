// AdamW with decoupled decay in two groups and clipping by the global norm, as torch.optim.AdamW and clip_grad_norm_ compute it.
// Loshchilov and Hutter, arXiv 1711.05101.
import {execute, type Tensor, tf} from './tensorflow.js';
import type {Variable} from './variables.js';

// As float32 has them, so that the bias corrections fit the sums that TensorFlow keeps.
const beta1 = Math.fround(0.9);
const beta2 = Math.fround(0.999);
const epsilon = 1e-6;
const maxNorm = 1;

export type Weight = Omit<Variable, 'dispose'>;

/** A weight with its two moments. */
export interface Slot {
  weight: Weight;
  m: Weight;
  v: Weight;
}

export const momentNames = (name: string) => ({m: `adamw.m.${name}`, v: `adamw.v.${name}`});

/** transformers' Trainer and FTFT: biases and layer norms, told by name, do not decay. */
export function decays(name: string): boolean {
  return !name.includes('bias') && !name.includes('LayerNorm.weight');
}

/**
 * What an update needs to know of its place in the run, [3] float32: the rate and the epsilon of TensorFlow's update with both bias
 * corrections in them, and the factor of the decay. `step` counts from 0. TensorFlow's update is w -= rate * m / (sqrt(v) + epsilon), so that
 * is w -= learningRate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + 1e-6), t from 1.
 */
export function adamWRates(step: number, learningRate: number, weightDecay: number): Float32Array {
  const t = step + 1;
  const correction = Math.sqrt(1 - beta2 ** t);
  return Float32Array.of(
    (learningRate * correction) / (1 - beta1 ** t),
    epsilon * correction,
    1 - learningRate * weightDecay,
  );
}

/**
 * Makes one update and returns the gradients' global norm before clipping. The weights' values that were read before must have been disposed.
 */
export function applyAdamW(slots: Slot[], gradients: Tensor[], rates: Tensor, isDecaying: boolean): Tensor {
  return tf.tidy(() => {
    const norm = globalNorm(gradients);
    const clip = tf.minimum(tf.div(maxNorm, tf.add(norm, 1e-6)), 1);
    const [rate, epsilon, decay] = tf.unstack(rates);
    slots.forEach((slot, i) => {
      if (isDecaying && decays(slot.weight.name))
        tf.tidy(() => {
          slot.weight.assign(tf.mul(slot.weight.read(), decay));
        });
      applyAdam(slot, {rate, epsilon}, clip, gradients[i]);
    });
    return norm;
  });
}

/** The square root of the sum of all squares. */
export function globalNorm(gradients: Tensor[]): Tensor {
  const halves = gradients.map(gradient => execute('L2Loss', {T: {type: 'float32'}}, [gradient])[0]);
  return tf.sqrt(tf.mul(tf.addN(halves), 2));
}

interface AdamRates {
  rate: Tensor;
  epsilon: Tensor;
}

function applyAdam({weight, m, v}: Slot, {rate, epsilon}: AdamRates, clip: Tensor, gradient: Tensor): void {
  tf.tidy(() => {
    const inputs = [weight.handle, m.handle, v.handle, tf.scalar(0), tf.scalar(0), rate];
    const betas = [tf.scalar(beta1), tf.scalar(beta2)];
    const attributes = {T: {type: 'float32'}, use_locking: {bool: false}, use_nesterov: {bool: false}} as const;
    execute('ResourceApplyAdam', attributes, [...inputs, ...betas, epsilon, tf.mul(gradient, clip)], 0);
  });
}
