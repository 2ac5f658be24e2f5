// The layer set of TensorFlow's own ops: runs on every device, and is the reference for the fused one.
import {attention} from './attention.js';
import {dropout, range} from './dropout.js';
import type {DropoutSite, LayerSet} from './layer-set.js';
import {activations, addNorm, dense, embedding} from './layers.js';
import {crossEntropy} from './losses.js';
import {type Tensor, tf} from './tensorflow.js';

/** seeds [numSites, 2] int32; without them there is no dropout. */
export function composedLayers(seeds?: Tensor): LayerSet {
  const sites = seeds && tf.unstack(seeds);
  const drop = (x: Tensor, {rate, site}: DropoutSite, rows?: Tensor) =>
    sites && rate > 0 ? dropout(x, rate, sites[site], rows) : x.clone();
  return {
    scope: code => tf.tidy(code),
    embedding,
    add: (a, b) => tf.add(a, b),
    concat: parts => tf.concat(parts),
    dense,
    activation: (name, x) => activations[name](x),
    addNorm(x, residual, {scale, offset, epsilon}, site) {
      const dropped = drop(x, site);
      const y = addNorm(dropped, residual, scale, offset, epsilon);
      dropped.dispose();
      return y;
    },
    dropout: drop,
    attention(qkv, layout, numHeads, site) {
      return attention(qkv, layout, numHeads, probabilities => {
        // Padding repeats the rows of other tokens, and nobody reads it.
        const tokens = layout.tokens.expandDims(1).expandDims(3);
        const rows = tf.add(tf.mul(tokens, tf.scalar(numHeads, 'int32')), range(numHeads).reshape([1, numHeads, 1, 1]));
        return drop(probabilities, site, rows);
      });
    },
    crossEntropy,
  };
}
