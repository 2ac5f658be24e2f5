// What encoders are put together from: for each part its parameters, and what it computes.
// T tokens · R tokens that are read · D hidden · F any width
import type {ModelConfig} from '../../data/types.js';
import type {DropoutSite, Norm} from '../layer-set.js';
import type {Tensor} from '../tensorflow.js';
import type {ParameterShape, Pass} from './family.js';

export const denseParameters = (name: string, outputs: number, inputs: number): ParameterShape[] => [
  {name: `${name}.weight`, shape: [outputs, inputs]},
  {name: `${name}.bias`, shape: [outputs]},
];

export const dense = ({weights, layers}: Pass, x: Tensor, name: string): Tensor =>
  layers.dense(x, weights(`${name}.weight`), weights(`${name}.bias`));

/** The outputs of several dense layers, side by side: one product instead of one for each. */
export function joinedDense({weights, layers}: Pass, x: Tensor, names: string[]): Tensor {
  const joined = (kind: string) => layers.concat(names.map(name => weights(`${name}.${kind}`)));
  return layers.dense(x, joined('weight'), joined('bias'));
}

export const normParameters = (name: string, size: number): ParameterShape[] => [
  {name: `${name}.weight`, shape: [size]},
  {name: `${name}.bias`, shape: [size]},
];

export const norm = ({config, weights}: Pass, name: string): Norm => ({
  scale: weights(`${name}.weight`),
  offset: weights(`${name}.bias`),
  epsilon: config.layerNormEps,
});

/** The parts of a layer after its attention heads, by their names below the layer. */
export interface BlockNames {
  attended: string;
  attendedNorm: string;
  inner: string;
  outer: string;
  outerNorm: string;
}

export const blockParameters = (
  layer: string,
  names: BlockNames,
  {hiddenSize: D, intermediateSize: F}: ModelConfig,
): ParameterShape[] => [
  ...denseParameters(`${layer}.${names.attended}`, D, D),
  ...normParameters(`${layer}.${names.attendedNorm}`, D),
  ...denseParameters(`${layer}.${names.inner}`, F, D),
  ...denseParameters(`${layer}.${names.outer}`, D, F),
  ...normParameters(`${layer}.${names.outerNorm}`, D),
];

/** The tokens of a layer's output that are read, after the last layer perhaps not all: nothing else of it has to be computed. */
export const atRead = ({config, layers, read}: Pass, index: number, x_TD: Tensor): Tensor =>
  read && index === config.numHiddenLayers - 1 ? layers.embedding(x_TD, read) : x_TD;

/**
 * x and what its heads saw, both [T, D] → the output of layer `index`: projection and feed-forward network, each with residual and norm
 * after it.
 */
export function block(
  pass: Pass,
  index: number,
  {layer, names}: {layer: string; names: BlockNames},
  {x_TD, context_TD}: {x_TD: Tensor; context_TD: Tensor},
  dropout: {attended: DropoutSite; outer: DropoutSite},
): Tensor {
  const {config, layers} = pass;
  const part = (name: keyof BlockNames) => `${layer}.${names[name]}`;
  const projected_RD = dense(pass, atRead(pass, index, context_TD), part('attended'));
  const residual_RD = atRead(pass, index, x_TD);
  const attended_RD = layers.addNorm(projected_RD, residual_RD, norm(pass, part('attendedNorm')), dropout.attended);
  const inner_RF = layers.activation(config.hiddenAct, dense(pass, attended_RD, part('inner')));
  const outer_RD = dense(pass, inner_RF, part('outer'));
  return layers.addNorm(outer_RD, attended_RD, norm(pass, part('outerNorm')), dropout.outer);
}
