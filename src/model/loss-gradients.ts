// Weights and one batch → loss, logits and the gradient of every weight.
import type {Pass} from './families/family.js';
import {logitsOf} from './forward.js';
import type {Head} from './heads/head.js';
import {type Tensor, tf} from './tensorflow.js';

export interface LossGradients {
  loss: Tensor;
  /** Of the same forward pass. */
  logits: Tensor;
  /** In the order of the names. */
  gradients: Tensor[];
}

/** `values[i]` is the parameter `names[i]`. The results belong to the current tidy. */
export function lossGradients(
  names: string[],
  values: Tensor[],
  pass: Omit<Pass, 'weights'>,
  head: Head,
  labels: Tensor,
): LossGradients {
  const byName = new Map(names.map((name, i) => [name, values[i]]));
  const whole: Pass = {...pass, weights: name => byName.get(name)!};
  let logits: Tensor | undefined;
  const {value, grads} = tf.engine().gradients(() => {
    const computed = logitsOf(whole, head);
    logits = tf.keep(computed.clone());
    return head.loss(whole, computed, labels);
  }, values);
  return {loss: value, logits: logits!, gradients: grads};
}
