// What encoders are put together from: for each part its parameters, and what it computes.
// T tokens · D hidden · F any width
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

/** x and what its heads saw, both [T, D] → the layer's output: projection and feed-forward network, each with residual and norm after it. */
export function block(
  pass: Pass,
  layer: string,
  names: BlockNames,
  x_TD: Tensor,
  context_TD: Tensor,
  dropout: {attended: DropoutSite; outer: DropoutSite},
): Tensor {
  const {config, layers} = pass;
  const part = (name: keyof BlockNames) => `${layer}.${names[name]}`;
  const projected_TD = dense(pass, context_TD, part('attended'));
  const attended_TD = layers.addNorm(projected_TD, x_TD, norm(pass, part('attendedNorm')), dropout.attended);
  const inner_TF = layers.activation(config.hiddenAct, dense(pass, attended_TD, part('inner')));
  return layers.addNorm(
    dense(pass, inner_TF, part('outer')),
    attended_TD,
    norm(pass, part('outerNorm')),
    dropout.outer,
  );
}
