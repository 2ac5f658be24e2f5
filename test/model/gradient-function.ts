// A model with one of the layer sets → the function from a batch and its weights to loss, logits and gradients, to be run and to be compiled.
import type {Batch, Checkpoint, ModelConfig} from '../../src/data/types.js';
import {batchInputs} from '../../src/model/batch-inputs.js';
import {type BertInputs, numDropoutSites} from '../../src/model/bert.js';
import type {FunctionSpec, InputSpec} from '../../src/model/compile/program.js';
import type {composedLayers} from '../../src/model/composed-layers.js';
import {dropoutSeeds} from '../../src/model/dropout.js';
import {lossGradients} from '../../src/model/loss-gradients.js';
import {initialValue, matchParameters} from '../../src/model/parameters.js';
import {type Tensor, tf} from '../../src/model/tensorflow.js';

export interface Model {
  config: ModelConfig;
  parameters: {name: string; shape: number[]}[];
  values: Float32Array[];
}

/** With a new head of three classes where the checkpoint has none. */
export function modelOf(checkpoint: Checkpoint): Model {
  const {parameters, config} = matchParameters(checkpoint, {numClasses: 3});
  return {parameters, config, values: parameters.map(parameter => initialValue(parameter, config, 0))};
}

const tokens: InputSpec = {type: 'int32', shape: ['T']};
const batchSpecs: Record<string, InputSpec> = {
  ids: tokens,
  typeIds: tokens,
  positions: tokens,
  places: tokens,
  firstTokens: {type: 'int32', shape: ['B']},
  starts: {type: 'int32', shape: ['S']},
  tokens: {type: 'int32', shape: ['B', 'L']},
  maskBias: {type: 'float32', shape: ['B', 1, 1, 'L']},
  labels: {type: 'int32', shape: ['B']},
};

/** Results: loss, logits, and each gradient by the name of its parameter. */
export function gradientFunction(
  {config, parameters}: Model,
  layersOf: typeof composedLayers,
  isDropping: boolean,
): FunctionSpec {
  const names = parameters.map(({name}) => name);
  const weights = parameters.map(({name, shape}) => [name, {type: 'float32', shape}] as const);
  const seeds: InputSpec = {type: 'int32', shape: [numDropoutSites(config), 2]};
  return {
    inputs: {...batchSpecs, ...(isDropping ? {seeds} : {}), ...Object.fromEntries(weights)},
    body({labels, seeds, ...inputs}) {
      const values = names.map(name => inputs[name]);
      const batch = inputs as unknown as BertInputs;
      const {loss, logits, gradients} = lossGradients(names, values, batch, labels, config, layersOf(seeds));
      return {loss, logits, ...Object.fromEntries(names.map((name, i) => [name, gradients[i]]))};
    },
  };
}

/** In the current tidy. With a seed, masks are drawn from it. */
export function gradientInputs(
  {config, parameters, values}: Model,
  batch: Batch,
  seed?: number,
): Record<string, Tensor> {
  const weights = parameters.map(({name, shape}, i) => [name, tf.tensor(values[i], shape)] as const);
  return {
    ...batchInputs(batch),
    labels: tf.tensor1d(batch.labels, 'int32'),
    ...(seed === undefined ? {} : {seeds: dropoutSeeds(seed, 0, numDropoutSites(config))}),
    ...Object.fromEntries(weights),
  };
}
