// Weights and one batch → mean cross-entropy, logits and the gradient of every weight.
import type {ModelConfig} from '../data/types.js';
import {type BertInputs, logits_BC} from './bert.js';
import type {Dropout} from './dropout.js';
import {type Tensor, tf} from './tensorflow.js';

export interface LossGradients {
  loss: Tensor;
  /** [B, C], of the same forward pass. */
  logits: Tensor;
  /** In the order of the names. */
  gradients: Tensor[];
}

/** `values[i]` is the parameter `names[i]`; labels [B] int32. The results belong to the current tidy. */
export function lossGradients(
  names: string[],
  values: Tensor[],
  inputs: BertInputs,
  labels: Tensor,
  config: ModelConfig,
  dropout: Dropout,
): LossGradients {
  const byName = new Map(names.map((name, i) => [name, values[i]]));
  let logits: Tensor | undefined;
  const {value, grads} = tf.engine().gradients(() => {
    const computed = logits_BC(name => byName.get(name)!, inputs, config, dropout);
    logits = tf.keep(computed.clone());
    return crossEntropy(computed, labels);
  }, values);
  return {loss: value, logits: logits!, gradients: grads};
}

/** Mean of -log softmax(logits)[label]. */
export function crossEntropy(logits_BC: Tensor, labels_B: Tensor): Tensor {
  const isLabel_BC = tf.oneHot(labels_B, logits_BC.shape[1]!).toFloat();
  return tf.neg(tf.mean(tf.sum(tf.mul(isLabel_BC, tf.logSoftmax(logits_BC)), -1)));
}
