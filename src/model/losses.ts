// What training makes small, with its gradient written out.
// B batch · C classes
import {differentiable} from './differentiable.js';
import {type Tensor, tf} from './tensorflow.js';

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
