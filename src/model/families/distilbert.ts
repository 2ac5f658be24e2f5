// DistilBERT: BERT without types of texts, under names of its own. Sanh et al., arXiv 1910.01108.
import type {ModelConfig} from '../../data/types.js';
import type {Tensor} from '../tensorflow.js';
import {numDropoutSites} from './bert.js';
import type {Family, ParameterShape, Pass} from './family.js';
import {type BlockNames, block, blockParameters, denseParameters, joinedDense, norm, normParameters} from './parts.js';

const embeddings = 'distilbert.embeddings';

const blockNames: BlockNames = {
  attended: 'attention.out_lin',
  attendedNorm: 'sa_layer_norm',
  inner: 'ffn.lin1',
  outer: 'ffn.lin2',
  outerNorm: 'output_layer_norm',
};

export const distilbert: Family = {
  className: 'DistilBert',
  prefix: 'distilbert',
  layers: 'transformer.layer',
  layersKey: 'n_layers',
  parameters,
  sequenceHead: () => ({inputDropout: 0, dense: 'pre_classifier', activation: 'relu', linear: 'classifier'}),
  numDropoutSites,
  maxLength: config => config.maxPositionEmbeddings,
  hasTokenTypes: false,
  *hiddenStates(pass) {
    let x_TD = pass.layers.scope(() => embed(pass));
    yield x_TD;
    for (let index = 0; index < pass.config.numHiddenLayers; index++) {
      const below_TD = x_TD;
      x_TD = pass.layers.scope(() => encoderLayer(index, pass, below_TD));
      yield x_TD;
    }
  },
};

function parameters(config: ModelConfig): ParameterShape[] {
  const {vocabSize, maxPositionEmbeddings, hiddenSize: D} = config;
  const layers = Array.from({length: config.numHiddenLayers}, (_, index) => [
    ...headNames(layerName(index)).flatMap(name => denseParameters(name, D, D)),
    ...blockParameters(layerName(index), blockNames, config),
  ]);
  return [
    {name: `${embeddings}.word_embeddings.weight`, shape: [vocabSize, D]},
    {name: `${embeddings}.position_embeddings.weight`, shape: [maxPositionEmbeddings, D]},
    ...normParameters(`${embeddings}.LayerNorm`, D),
    ...layers.flat(),
  ];
}

function embed(pass: Pass): Tensor {
  const {config, weights, inputs, layers} = pass;
  const words = layers.embedding(weights(`${embeddings}.word_embeddings.weight`), inputs.ids);
  const positions = layers.embedding(weights(`${embeddings}.position_embeddings.weight`), inputs.positions);
  const normal = layers.addNorm(words, positions, norm(pass, `${embeddings}.LayerNorm`), {rate: 0, site: 0});
  return layers.dropout(normal, {rate: config.hiddenDropoutProb, site: 0});
}

/** Its feed-forward network alone has dropout, after the second product; what the heads saw has none. */
function encoderLayer(index: number, pass: Pass, x_TD: Tensor): Tensor {
  const layer = layerName(index);
  const site = 1 + 3 * index;
  const {hiddenDropoutProb: rate, attentionProbsDropoutProb, numAttentionHeads} = pass.config;
  const qkv_T3D = joinedDense(pass, x_TD, headNames(layer));
  const context_TD = pass.layers.attention(qkv_T3D, pass.inputs, numAttentionHeads, {
    rate: attentionProbsDropoutProb,
    site,
  });
  const dropout = {attended: {rate: 0, site: site + 1}, outer: {rate, site: site + 2}};
  return block(pass, index, {layer, names: blockNames}, {x_TD, context_TD}, dropout);
}

const layerName = (index: number) => `distilbert.transformer.layer.${index}`;
const headNames = (layer: string) => ['q', 'k', 'v'].map(part => `${layer}.attention.${part}_lin`);
