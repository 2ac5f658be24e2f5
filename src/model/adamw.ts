// AdamW with decoupled decay in two groups and clipping by the global norm, as torch.optim.AdamW and clip_grad_norm_ compute it.
// Loshchilov and Hutter, arXiv 1711.05101.
import {execute, type Tensor, tf} from './tensorflow.js';
import {createVariable, type Variable} from './variables.js';

// As float32 has them, so that the bias corrections fit the sums that TensorFlow keeps.
const beta1 = Math.fround(0.9);
const beta2 = Math.fround(0.999);
const epsilon = 1e-6;
const maxNorm = 1;

/** A weight with its two moments, named `adamw.m.…` and `adamw.v.…`. */
interface Slot {
  weight: Variable;
  m: Variable;
  v: Variable;
}

export interface AdamW {
  /** All first, then all second moments. */
  readonly moments: Variable[];
  /**
   * Makes update number `step`, from 0, and returns the gradients' global norm before clipping. The weights' values that were read before
   * must have been disposed.
   */
  apply(gradients: Tensor[], step: number, learningRate: number): Tensor;
}

/** transformers' Trainer and FTFT: biases and layer norms, told by name, do not decay. */
export function decays(name: string): boolean {
  return !name.includes('bias') && !name.includes('LayerNorm.weight');
}

export function createAdamW(weights: Variable[], weightDecay: number): AdamW {
  const zeros = (kind: string, {name, shape}: Variable) => createVariable(`adamw.${kind}.${name}`, shape);
  const slots: Slot[] = weights.map(weight => ({weight, m: zeros('m', weight), v: zeros('v', weight)}));
  return {
    moments: [...slots.map(({m}) => m), ...slots.map(({v}) => v)],
    apply: (gradients, step, learningRate) =>
      tf.tidy(() => {
        const norm = globalNorm(gradients);
        const clip = tf.minimum(tf.div(maxNorm, tf.add(norm, 1e-6)), 1);
        const rates = adamRates(step + 1, learningRate);
        slots.forEach((slot, i) => {
          if (weightDecay > 0 && decays(slot.weight.name)) decay(slot.weight, learningRate * weightDecay);
          applyAdam(slot, rates, clip, gradients[i]);
        });
        return norm;
      }),
  };
}

/** The square root of the sum of all squares. */
export function globalNorm(gradients: Tensor[]): Tensor {
  const halves = gradients.map(gradient => execute('L2Loss', {T: {type: 'float32'}}, [gradient])[0]);
  return tf.sqrt(tf.mul(tf.addN(halves), 2));
}

/** w *= 1 - rate. */
function decay(weight: Variable, rate: number): void {
  tf.tidy(() => {
    const decayed = tf.mul(weight.read(), 1 - rate);
    weight.assign(decayed);
  });
}

interface AdamRates {
  rate: Tensor;
  epsilon: Tensor;
}

/**
 * TensorFlow's update is w -= rate * m / (sqrt(v) + epsilon). With both bias corrections in rate and epsilon that is
 * w -= learningRate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon), t from 1.
 */
function adamRates(t: number, learningRate: number): AdamRates {
  const correction = Math.sqrt(1 - beta2 ** t);
  return {rate: tf.scalar((learningRate * correction) / (1 - beta1 ** t)), epsilon: tf.scalar(epsilon * correction)};
}

function applyAdam({weight, m, v}: Slot, {rate, epsilon}: AdamRates, clip: Tensor, gradient: Tensor): void {
  tf.tidy(() => {
    const inputs = [weight.handle, m.handle, v.handle, tf.scalar(0), tf.scalar(0), rate];
    const betas = [tf.scalar(beta1), tf.scalar(beta2)];
    const attributes = {T: {type: 'float32'}, use_locking: {bool: false}, use_nesterov: {bool: false}} as const;
    execute('ResourceApplyAdam', attributes, [...inputs, ...betas, epsilon, tf.mul(gradient, clip)], 0);
  });
}
