// What training makes small, with its gradient written out.
// B batch · L length · C classes
import {type Layout, toGrid} from './attention.js';
import {differentiable} from './differentiable.js';
import {type Tensor, tf} from './tensorflow.js';

/** Mean of -log softmax(logits)[label] over the rows whose label is not negative. */
export function crossEntropy(logits_BC: Tensor, labels_B: Tensor): Tensor {
  const C = logits_BC.shape[1]!;
  return differentiable({
    forward: logits => {
      const isLabel = tf.oneHot(labels_B, C).toFloat();
      const logProbabilities = tf.logSoftmax(logits);
      const value = tf.neg(tf.div(tf.sum(tf.mul(isLabel, logProbabilities)), tf.sum(isLabel)));
      return {value, saved: [logProbabilities, isLabel]};
    },
    backward: (dy, [logProbabilities, isLabel]) => {
      // Not 1 / B as a number: a recorded step serves batches of every size.
      const count = tf.sum(isLabel);
      const probabilities = tf.mul(tf.exp(logProbabilities), tf.sum(isLabel, -1, true));
      return [tf.mul(tf.sub(probabilities, isLabel), tf.div(dy, count))];
    },
  })(logits_BC);
}

/** logits [T, 2] and labels [B, 2], places in their text: the mean of both columns' cross-entropy over the tokens of each text. */
export function spanLoss(logits_T2: Tensor, labels_B2: Tensor, layout: Layout): Tensor {
  return tf.tidy(() => {
    const [B, L] = layout.tokens.shape as [number, number];
    const grid = tf.reshape(toGrid(logits_T2, layout), [B, L, 2]);
    const bias = tf.reshape(layout.maskBias, [B, L]);
    const labels = tf.unstack(labels_B2, 1);
    const losses = tf.unstack(grid, 2).map((logits, i) => crossEntropy(tf.add(logits, bias), labels[i]));
    return tf.mul(tf.add(losses[0], losses[1]), 0.5);
  });
}
