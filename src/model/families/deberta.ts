// DeBERTa-v2 and v3: attention to content and to relative positions apart. He et al., arXiv 2006.03654 and 2111.09543.
import type {ModelConfig} from '../../data/types.js';
import type {Tensor} from '../tensorflow.js';
import {blockNames} from './bert.js';
import type {Family, ParameterShape, Pass} from './family.js';
import {atRead, block, blockParameters, dense, denseParameters, joinedDense, norm, normParameters} from './parts.js';

const embeddings = 'deberta.embeddings';
const encoder = 'deberta.encoder';

export const deberta: Family = {
  className: 'DebertaV2',
  prefix: 'deberta',
  layers: 'encoder.layer',
  layersKey: 'num_hidden_layers',
  parameters,
  sequenceHead: ({pooler}) => ({
    inputDropout: pooler!.dropout,
    dense: 'pooler.dense',
    activation: pooler!.activation,
    linear: 'classifier',
  }),
  numDropoutSites: ({numHiddenLayers}) => 2 + 4 * numHiddenLayers,
  maxLength: config => (config.hasPositionEmbeddings ? config.maxPositionEmbeddings : Number.POSITIVE_INFINITY),
  hasTokenTypes: true,
  hiddenStates,
};

function parameters(config: ModelConfig): ParameterShape[] {
  const {hiddenSize: D, embeddingSize: E, relativePositions: relative, convolution} = config;
  const parts: ParameterShape[] = [{name: `${embeddings}.word_embeddings.weight`, shape: [config.vocabSize, E]}];
  if (config.hasPositionEmbeddings)
    parts.push({name: `${embeddings}.position_embeddings.weight`, shape: [config.maxPositionEmbeddings, E]});
  if (config.typeVocabSize > 0)
    parts.push({name: `${embeddings}.token_type_embeddings.weight`, shape: [config.typeVocabSize, E]});
  if (E !== D) parts.push({name: `${embeddings}.embed_proj.weight`, shape: [D, E]});
  parts.push(...normParameters(`${embeddings}.LayerNorm`, D));
  if (relative) parts.push({name: `${encoder}.rel_embeddings.weight`, shape: [2 * relative.span, D]});
  if (relative?.isNormed) parts.push(...normParameters(`${encoder}.LayerNorm`, D));
  if (convolution) {
    const name = `${encoder}.conv.conv`;
    parts.push({name: `${name}.weight`, shape: [D, D, convolution.kernelSize]}, {name: `${name}.bias`, shape: [D]});
    parts.push(...normParameters(`${encoder}.conv.LayerNorm`, D));
  }
  for (let index = 0; index < config.numHiddenLayers; index++) {
    const names = [...headNames(index), ...positionNames(index, config).own];
    parts.push(...names.flatMap(name => denseParameters(name, D, D)));
    parts.push(...blockParameters(layerName(index), blockNames, config));
  }
  return parts;
}

function* hiddenStates(pass: Pass): Generator<Tensor, void> {
  const {config, inputs, layers} = pass;
  const embedded_TD = layers.scope(() => embed(pass));
  yield embedded_TD;
  const {relativePositions: relative} = config;
  const positions_PD = relative && layers.scope(() => relativeEmbeddings(pass, relative.isNormed));
  let x_TD = embedded_TD;
  for (let index = 0; index < config.numHiddenLayers; index++) {
    const below_TD = x_TD;
    x_TD = layers.scope(() => {
      const y_TD = encoderLayer(index, pass, below_TD, positions_PD);
      return index === 0 && inputs.neighbours ? addConvolution(pass, y_TD, embedded_TD) : y_TD;
    });
    yield x_TD;
  }
  positions_PD?.dispose();
}

/** [T, D] */
function embed(pass: Pass): Tensor {
  const {config, weights, inputs, layers} = pass;
  const look = (table: string, ids: Tensor) =>
    layers.embedding(weights(`${embeddings}.${table}_embeddings.weight`), ids);
  let sum_TE = look('word', inputs.ids);
  if (config.hasPositionEmbeddings) sum_TE = layers.add(sum_TE, look('position', inputs.positions));
  if (config.typeVocabSize > 0) sum_TE = layers.add(sum_TE, look('token_type', inputs.typeIds));
  const isProjected = config.embeddingSize !== config.hiddenSize;
  const sum_TD = isProjected ? layers.product(sum_TE, weights(`${embeddings}.embed_proj.weight`)) : sum_TE;
  const normal_TD = layers.norm(sum_TD, norm(pass, `${embeddings}.LayerNorm`));
  return layers.dropout(normal_TD, {rate: config.hiddenDropoutProb, site: 0});
}

/** [P, D]: of the distances that the batch has. */
function relativeEmbeddings(pass: Pass, isNormed: boolean): Tensor {
  const {weights, inputs, layers} = pass;
  const rows_PD = layers.embedding(weights(`${encoder}.rel_embeddings.weight`), inputs.relativeRows!);
  return isNormed ? layers.norm(rows_PD, norm(pass, `${encoder}.LayerNorm`)) : rows_PD;
}

function encoderLayer(index: number, pass: Pass, x_TD: Tensor, positions_PD: Tensor | undefined): Tensor {
  const {config, inputs, layers} = pass;
  const {hiddenDropoutProb: rate, attentionProbsDropoutProb, numAttentionHeads} = config;
  const site = 2 + 4 * index;
  const ofProbabilities = {rate: attentionProbsDropoutProb, site};
  const qkv_T3D = joinedDense(pass, x_TD, headNames(index));
  let context_TD: Tensor;
  if (positions_PD) {
    const dropped_PD = layers.dropout(positions_PD, {rate, site: site + 3});
    const {keys, queries} = positionNames(index, config);
    const table = (name: string | undefined) => (name === undefined ? undefined : dense(pass, dropped_PD, name));
    const tables = {keys: table(keys), queries: table(queries)};
    context_TD = layers.relativeAttention(qkv_T3D, inputs, tables, numAttentionHeads, ofProbabilities);
  } else context_TD = layers.attention(qkv_T3D, inputs, numAttentionHeads, ofProbabilities);
  const dropout = {attended: {rate, site: site + 1}, outer: {rate, site: site + 2}};
  return block(pass, index, {layer: layerName(index), names: blockNames}, {x_TD, context_TD}, dropout);
}

function addConvolution(pass: Pass, y_TD: Tensor, embedded_TD: Tensor): Tensor {
  const {config, weights, inputs, layers} = pass;
  const name = `${encoder}.conv.conv`;
  const [weight, bias] = [weights(`${name}.weight`), weights(`${name}.bias`)];
  const convolved_TD = layers.convolution(embedded_TD, weight, bias, inputs.neighbours!);
  const dropped_TD = layers.dropout(atRead(pass, 0, convolved_TD), {rate: config.hiddenDropoutProb, site: 1});
  const active_TD = layers.activation(config.convolution!.activation, dropped_TD);
  return layers.addNorm(active_TD, y_TD, norm(pass, `${encoder}.conv.LayerNorm`), {rate: 0, site: 0});
}

const layerName = (index: number) => `${encoder}.layer.${index}`;
const selfName = (index: number) => `${layerName(index)}.attention.self`;
const headNames = (index: number) => ['query', 'key', 'value'].map(part => `${selfName(index)}.${part}_proj`);

/** The projections of relative positions, and those of them that are not the content's own. */
function positionNames(index: number, {relativePositions: relative}: ModelConfig) {
  const self = `${selfName(index)}.${relative?.isKeyShared ? '' : 'pos_'}`;
  const keys = relative?.hasContentToPosition ? `${self}key_proj` : undefined;
  const queries = relative?.hasPositionToContent ? `${self}query_proj` : undefined;
  const own = relative?.isKeyShared ? [] : [keys, queries].filter(name => name !== undefined);
  return {keys, queries, own};
}
