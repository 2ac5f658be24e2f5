// The convolution that DeBERTa-v2 may have over its embeddings.
// T tokens · D hidden · K taps
import {dense, embedding} from './layers.js';
import {type Tensor, tf} from './tensorflow.js';

/** x [T, D], weight [D, D, K] as PyTorch keeps it, bias [D], neighbours [T, K] with -1 beyond the text, where x counts as 0 → [T, D]. */
export function convolution(x_TD: Tensor, weight: Tensor, bias: Tensor, neighbours_TK: Tensor): Tensor {
  return tf.tidy(() => {
    const [T, K] = neighbours_TK.shape as [number, number];
    const D = x_TD.shape[1]!;
    const none = tf.scalar(0, 'int32');
    const isThere = tf.reshape(tf.cast(tf.greaterEqual(neighbours_TK, none), 'float32'), [T * K, 1]);
    const around = tf.mul(embedding(x_TD, tf.reshape(tf.maximum(neighbours_TK, none), [T * K])), isThere);
    const flat = tf.reshape(tf.transpose(weight, [0, 2, 1]), [D, K * D]);
    return dense(tf.reshape(around, [T, K * D]), flat, bias);
  });
}
