// The layer set of TensorFlow's own ops: runs on every device, and is the reference for the fused one.
import {attention, type Layout} from './attention.js';
import {convolution} from './convolution.js';
import {dropout, range} from './dropout.js';
import type {DropoutSite, LayerSet} from './layer-set.js';
import {activations, addNorm, dense, embedding, norm, productWith} from './layers.js';
import {crossEntropy, spanLoss} from './losses.js';
import {relativeProbabilities} from './relative-attention.js';
import {type Tensor, tf} from './tensorflow.js';

/** seeds [numSites, 2] int32; without them there is no dropout. */
export function composedLayers(seeds?: Tensor): LayerSet {
  const sites = seeds && tf.unstack(seeds);
  const drop = (x: Tensor, {rate, site}: DropoutSite, rows?: Tensor) =>
    sites && rate > 0 ? dropout(x, rate, sites[site], rows) : x.clone();
  const ofProbabilities = (layout: Layout, numHeads: number, site: DropoutSite) => (probabilities: Tensor) => {
    // Padding repeats the rows of other tokens, and nobody reads it.
    const tokens = layout.tokens.expandDims(1).expandDims(3);
    const rows = tf.add(tf.mul(tokens, tf.scalar(numHeads, 'int32')), range(numHeads).reshape([1, numHeads, 1, 1]));
    return drop(probabilities, site, rows);
  };
  return {
    scope: code => tf.tidy(code),
    embedding,
    add: (a, b) => tf.add(a, b),
    concat: parts => tf.concat(parts),
    dense,
    product: productWith,
    activation: (name, x) => activations[name](x),
    norm: (x, {scale, offset, epsilon}) => norm(x, scale, offset, epsilon),
    addNorm(x, residual, {scale, offset, epsilon}, site) {
      const dropped = drop(x, site);
      const y = addNorm(dropped, residual, scale, offset, epsilon);
      dropped.dispose();
      return y;
    },
    dropout: drop,
    attention: (qkv, layout, numHeads, site) =>
      attention(qkv, layout, numHeads, ofProbabilities(layout, numHeads, site)),
    relativeAttention: (qkv, layout, tables, numHeads, site) =>
      attention(qkv, layout, numHeads, ofProbabilities(layout, numHeads, site), (q, k) =>
        relativeProbabilities(q, k, layout, tables),
      ),
    convolution,
    crossEntropy,
    spanLoss,
  };
}
