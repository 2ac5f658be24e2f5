// BERT with a sequence-classification head: token tensors and weights in, logits out. Devlin et al., arXiv 1810.04805.
// B batch · T real tokens of the batch · D hidden · C classes. Only attention sees padding; everything else runs on the T tokens.
import type {ModelConfig} from '../data/types.js';
import {attention, type Layout} from './attention.js';
import type {Dropout} from './dropout.js';
import {activations, addNorm, dense, embedding, layerNorm} from './layers.js';
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

export function logits_BC(weights: Weights, inputs: BertInputs, config: ModelConfig, dropout: Dropout): Tensor {
  let x_TD = embed(weights, inputs, config, dropout);
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const next_TD = encoderLayer(layer, x_TD, weights, inputs, config, dropout);
    x_TD.dispose();
    x_TD = next_TD;
  }
  const pooled_BD = pool(weights, x_TD, inputs);
  const dropped_BD = dropout(pooled_BD, config.classifierDropout, numDropoutSites(config) - 1);
  return dense(dropped_BD, weights('classifier.weight'), weights('classifier.bias'));
}

export function embed(weights: Weights, inputs: BertInputs, config: ModelConfig, dropout: Dropout): Tensor {
  const name = 'bert.embeddings';
  const parts = [
    embedding(weights(`${name}.word_embeddings.weight`), inputs.ids),
    embedding(weights(`${name}.token_type_embeddings.weight`), inputs.typeIds),
    embedding(weights(`${name}.position_embeddings.weight`), inputs.positions),
  ];
  const sum_TD = tf.addN(parts);
  const scale = weights(`${name}.LayerNorm.weight`);
  const normal_TD = layerNorm(sum_TD, scale, weights(`${name}.LayerNorm.bias`), config.layerNormEps);
  const x_TD = dropout(normal_TD, config.hiddenDropoutProb, 0);
  tf.dispose([...parts, sum_TD, normal_TD]);
  return x_TD;
}

export function encoderLayer(
  layer: number,
  x_TD: Tensor,
  weights: Weights,
  inputs: BertInputs,
  config: ModelConfig,
  dropout: Dropout,
): Tensor {
  const name = `bert.encoder.layer.${layer}`;
  const site = 1 + 3 * layer;
  const linear = (x: Tensor, part: string) =>
    dense(x, weights(`${name}.${part}.weight`), weights(`${name}.${part}.bias`));
  const dropAddNorm = (x: Tensor, residual: Tensor, part: string, site: number) => {
    const dropped_TD = dropout(x, config.hiddenDropoutProb, site);
    const norm = [weights(`${name}.${part}.LayerNorm.weight`), weights(`${name}.${part}.LayerNorm.bias`)] as const;
    const y_TD = addNorm(dropped_TD, residual, ...norm, config.layerNormEps);
    tf.dispose([x, dropped_TD]);
    return y_TD;
  };
  // One product instead of three.
  const joined = (kind: string) =>
    tf.concat(['query', 'key', 'value'].map(part => weights(`${name}.attention.self.${part}.${kind}`)));
  const qkv_T3D = dense(x_TD, joined('weight'), joined('bias'));
  const context_TD = attention(qkv_T3D, inputs, config.numAttentionHeads, probabilities =>
    dropout(probabilities, config.attentionProbsDropoutProb, site, 1),
  );
  const attended_TD = dropAddNorm(linear(context_TD, 'attention.output.dense'), x_TD, 'attention.output', site + 1);
  const inner_TF = linear(attended_TD, 'intermediate.dense');
  const active_TF = activations[config.hiddenAct](inner_TF);
  const y_TD = dropAddNorm(linear(active_TF, 'output.dense'), attended_TD, 'output', site + 2);
  tf.dispose([qkv_T3D, context_TD, attended_TD, inner_TF, active_TF]);
  return y_TD;
}

/** tanh(dense) of each row's first token, [B, D]. */
export function pool(weights: Weights, x_TD: Tensor, inputs: BertInputs): Tensor {
  const first_BD = embedding(x_TD, inputs.firstTokens);
  return tf.tanh(dense(first_BD, weights('bert.pooler.dense.weight'), weights('bert.pooler.dense.bias')));
}
