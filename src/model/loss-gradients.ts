// Weights and one batch → mean cross-entropy, logits and the gradient of every weight.
import type {ModelConfig} from '../data/types.js';
import {type BertInputs, logits_BC} from './bert.js';
import {differentiable} from './differentiable.js';
import type {LayerSet} from './layer-set.js';
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
  layers: LayerSet,
): LossGradients {
  const byName = new Map(names.map((name, i) => [name, values[i]]));
  let logits: Tensor | undefined;
  const {value, grads} = tf.engine().gradients(() => {
    const computed = logits_BC(name => byName.get(name)!, inputs, config, layers);
    logits = tf.keep(computed.clone());
    return crossEntropy(computed, labels);
  }, values);
  return {loss: value, logits: logits!, gradients: grads};
}

/** Mean of -log softmax(logits)[label]. */
export function crossEntropy(logits_BC: Tensor, labels_B: Tensor): Tensor {
  const C = logits_BC.shape[1]!;
  return differentiable({
    forward: logits => {
      const isLabel = tf.oneHot(labels_B, C).toFloat();
      const logProbabilities = tf.logSoftmax(logits);
      const value = tf.neg(tf.mean(tf.sum(tf.mul(isLabel, logProbabilities), -1)));
      return {value, saved: [logProbabilities, isLabel]};
    },
    backward: (dy, [logProbabilities, isLabel]) => {
      // Not 1 / B as a number: a recorded step serves batches of every size.
      const batchSize = tf.sum(isLabel);
      return [tf.mul(tf.sub(tf.exp(logProbabilities), isLabel), tf.div(dy, batchSize))];
    },
  })(logits_BC);
}
