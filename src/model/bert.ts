// BERT with a sequence-classification head: token tensors and weights in, logits out. Devlin et al., arXiv 1810.04805.
// B batch · T real tokens of the batch · D hidden · C classes. Only attention sees padding; everything else runs on the T tokens.
import type {ModelConfig} from '../data/types.js';
import type {Layout} from './attention.js';
import type {LayerSet, Norm} from './layer-set.js';
import {type Tensor, tf} from './tensorflow.js';

/** A parameter's value, by its name on the hub. */
export type Weights = (name: string) => Tensor;

/** One batch, as tensors. */
export interface BertInputs extends Layout {
  /** Each [T] int32. */
  ids: Tensor;
  typeIds: Tensor;
  positions: Tensor;
  /** [B] int32: the first token of each row among the T. */
  firstTokens: Tensor;
}

/** Places at which dropout draws a mask: embeddings, three in each layer, classifier. */
export const numDropoutSites = (config: ModelConfig): number => 2 + 3 * config.numHiddenLayers;

export function logits_BC(weights: Weights, inputs: BertInputs, config: ModelConfig, layers: LayerSet): Tensor {
  let x_TD = embed(weights, inputs, config, layers);
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const next_TD = encoderLayer(layer, x_TD, weights, inputs, config, layers);
    x_TD.dispose();
    x_TD = next_TD;
  }
  const pooled_BD = pool(weights, x_TD, inputs, layers);
  const dropped_BD = layers.dropout(pooled_BD, {rate: config.classifierDropout, site: numDropoutSites(config) - 1});
  return layers.dense(dropped_BD, weights('classifier.weight'), weights('classifier.bias'));
}

export function embed(weights: Weights, inputs: BertInputs, config: ModelConfig, layers: LayerSet): Tensor {
  const name = 'bert.embeddings';
  const words_TD = layers.embedding(weights(`${name}.word_embeddings.weight`), inputs.ids);
  const types_TD = layers.embedding(weights(`${name}.token_type_embeddings.weight`), inputs.typeIds);
  const positions_TD = layers.embedding(weights(`${name}.position_embeddings.weight`), inputs.positions);
  const sum_TD = tf.add(words_TD, types_TD);
  const norm = normOf(weights, name, config);
  const normal_TD = layers.addNorm(sum_TD, positions_TD, norm, {rate: 0, site: 0});
  const x_TD = layers.dropout(normal_TD, {rate: config.hiddenDropoutProb, site: 0});
  tf.dispose([words_TD, types_TD, positions_TD, sum_TD, normal_TD]);
  return x_TD;
}

export function encoderLayer(
  layer: number,
  x_TD: Tensor,
  weights: Weights,
  inputs: BertInputs,
  config: ModelConfig,
  layers: LayerSet,
): Tensor {
  const name = `bert.encoder.layer.${layer}`;
  const site = 1 + 3 * layer;
  const linear = (x: Tensor, part: string) =>
    layers.dense(x, weights(`${name}.${part}.weight`), weights(`${name}.${part}.bias`));
  const dropAddNorm = (x: Tensor, residual: Tensor, part: string, site: number) => {
    const norm = normOf(weights, `${name}.${part}`, config);
    const y_TD = layers.addNorm(x, residual, norm, {rate: config.hiddenDropoutProb, site});
    x.dispose();
    return y_TD;
  };
  // One product instead of three.
  const joined = (kind: string) =>
    tf.concat(['query', 'key', 'value'].map(part => weights(`${name}.attention.self.${part}.${kind}`)));
  const qkv_T3D = layers.dense(x_TD, joined('weight'), joined('bias'));
  const context_TD = layers.attention(qkv_T3D, inputs, config.numAttentionHeads, {
    rate: config.attentionProbsDropoutProb,
    site,
  });
  const attended_TD = dropAddNorm(linear(context_TD, 'attention.output.dense'), x_TD, 'attention.output', site + 1);
  const inner_TF = linear(attended_TD, 'intermediate.dense');
  const active_TF = layers.activation(config.hiddenAct, inner_TF);
  const y_TD = dropAddNorm(linear(active_TF, 'output.dense'), attended_TD, 'output', site + 2);
  tf.dispose([qkv_T3D, context_TD, attended_TD, inner_TF, active_TF]);
  return y_TD;
}

/** tanh(dense) of each row's first token, [B, D]. */
export function pool(weights: Weights, x_TD: Tensor, inputs: BertInputs, layers: LayerSet): Tensor {
  const first_BD = layers.embedding(x_TD, inputs.firstTokens);
  return tf.tanh(layers.dense(first_BD, weights('bert.pooler.dense.weight'), weights('bert.pooler.dense.bias')));
}

const normOf = (weights: Weights, name: string, config: ModelConfig): Norm => ({
  scale: weights(`${name}.LayerNorm.weight`),
  offset: weights(`${name}.LayerNorm.bias`),
  epsilon: config.layerNormEps,
});
