// BERT, and TinyBERT and MiniLM, which have its form: Devlin et al., arXiv 1810.04805.
import type {ModelConfig} from '../../data/types.js';
import type {Tensor} from '../tensorflow.js';
import type {Family, ParameterShape, Pass} from './family.js';
import {type BlockNames, block, blockParameters, denseParameters, joinedDense, norm, normParameters} from './parts.js';

export const bert: Family = {
  className: 'Bert',
  prefix: 'bert',
  layers: 'encoder.layer',
  layersKey: 'num_hidden_layers',
  parameters: config => [...embeddingParameters('bert', config), ...encoderParameters('bert', config)],
  sequenceHead: () => ({inputDropout: 0, dense: 'bert.pooler.dense', activation: 'tanh', linear: 'classifier'}),
  numDropoutSites,
  maxLength: config => config.maxPositionEmbeddings,
  hasTokenTypes: true,
  *hiddenStates(pass) {
    const x_TD = pass.layers.scope(() => embed('bert', pass));
    yield x_TD;
    yield* encode('bert', pass, x_TD);
  },
};

/** In the embeddings, and three in each layer. */
export function numDropoutSites({numHiddenLayers}: ModelConfig): number {
  return 1 + 3 * numHiddenLayers;
}

export function embeddingParameters(prefix: string, config: ModelConfig): ParameterShape[] {
  const {embeddingSize: E} = config;
  const name = `${prefix}.embeddings`;
  return [
    {name: `${name}.word_embeddings.weight`, shape: [config.vocabSize, E]},
    {name: `${name}.position_embeddings.weight`, shape: [config.maxPositionEmbeddings, E]},
    {name: `${name}.token_type_embeddings.weight`, shape: [config.typeVocabSize, E]},
    ...normParameters(`${name}.LayerNorm`, E),
  ];
}

/** [T, E] */
export function embed(prefix: string, pass: Pass): Tensor {
  const {config, weights, inputs, layers} = pass;
  const name = `${prefix}.embeddings`;
  const look = (table: string, ids: Tensor) => layers.embedding(weights(`${name}.${table}_embeddings.weight`), ids);
  const sum = layers.add(look('word', inputs.ids), look('token_type', inputs.typeIds));
  const positions = look('position', inputs.positions);
  const normal = layers.addNorm(sum, positions, norm(pass, `${name}.LayerNorm`), {rate: 0, site: 0});
  return layers.dropout(normal, {rate: config.hiddenDropoutProb, site: 0});
}

export function encoderParameters(prefix: string, config: ModelConfig): ParameterShape[] {
  const D = config.hiddenSize;
  return Array.from({length: config.numHiddenLayers}, (_, index) => {
    const layer = layerName(prefix, index);
    const heads = headNames(layer).flatMap(name => denseParameters(name, D, D));
    return [...heads, ...blockParameters(layer, blockNames, config)];
  }).flat();
}

/** The hidden states after each layer. */
export function* encode(prefix: string, pass: Pass, embedded_TD: Tensor): Generator<Tensor, void> {
  let x_TD = embedded_TD;
  for (let index = 0; index < pass.config.numHiddenLayers; index++) {
    x_TD = pass.layers.scope(() => encoderLayer(prefix, index, pass, x_TD));
    yield x_TD;
  }
}

function encoderLayer(prefix: string, index: number, pass: Pass, x_TD: Tensor): Tensor {
  const layer = layerName(prefix, index);
  const site = 1 + 3 * index;
  const {hiddenDropoutProb: rate, attentionProbsDropoutProb, numAttentionHeads} = pass.config;
  const qkv_T3D = joinedDense(pass, x_TD, headNames(layer));
  const context_TD = pass.layers.attention(qkv_T3D, pass.inputs, numAttentionHeads, {
    rate: attentionProbsDropoutProb,
    site,
  });
  const dropout = {attended: {rate, site: site + 1}, outer: {rate, site: site + 2}};
  return block(pass, index, {layer, names: blockNames}, {x_TD, context_TD}, dropout);
}

export const blockNames: BlockNames = {
  attended: 'attention.output.dense',
  attendedNorm: 'attention.output.LayerNorm',
  inner: 'intermediate.dense',
  outer: 'output.dense',
  outerNorm: 'output.LayerNorm',
};

const layerName = (prefix: string, index: number) => `${prefix}.encoder.layer.${index}`;
const headNames = (layer: string) => ['query', 'key', 'value'].map(part => `${layer}.attention.self.${part}`);
