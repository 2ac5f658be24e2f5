// A model with one of the layer sets → the function from a batch and its weights to loss, logits and gradients, to be run and to be compiled.
import type {Batch} from '../../src/data/types.js';
import {batchInputs, labelsOf} from '../../src/model/batch-inputs.js';
import type {FunctionSpec, InputSpec} from '../../src/model/compile/program.js';
import {dropoutSeeds} from '../../src/model/dropout.js';
import type {ModelInputs} from '../../src/model/families/family.js';
import {numDropoutSites} from '../../src/model/forward.js';
import type {LayerSet} from '../../src/model/layer-set.js';
import {lossGradients} from '../../src/model/loss-gradients.js';
import {initialValue} from '../../src/model/parameters.js';
import {inputSpecs} from '../../src/model/recorded-functions.js';
import {type Tensor, tf} from '../../src/model/tensorflow.js';
import type {TestModel} from './test-model.js';

export interface Functions {
  layersOf: (seeds?: Tensor) => LayerSet;
  isFused: boolean;
}

/** Results: loss, logits, and each gradient by the name of its parameter. */
export function gradientFunction(
  {config, head, parameters}: TestModel,
  {layersOf, isFused}: Functions,
  isDropping: boolean,
): FunctionSpec {
  const names = parameters.map(({name}) => name);
  const weights = parameters.map(({name, shape}) => [name, {type: 'float32', shape}] as const);
  const seeds: InputSpec = {type: 'int32', shape: [numDropoutSites(config), 2]};
  return {
    inputs: {
      ...inputSpecs({config, head, isFused}),
      labels: head.labelsSpec,
      ...(isDropping ? {seeds} : {}),
      ...Object.fromEntries(weights),
    },
    body({labels, seeds, ...inputs}) {
      const values = names.map(name => inputs[name]);
      const pass = {config, inputs: inputs as unknown as ModelInputs, layers: layersOf(seeds)};
      const {loss, logits, gradients} = lossGradients(names, values, pass, head, labels);
      return {loss, logits, ...Object.fromEntries(names.map((name, i) => [name, gradients[i]]))};
    },
  };
}

/** In the current tidy; only what the function reads. With a seed, masks are drawn from it. */
export function gradientInputs(
  {config, head, parameters}: TestModel,
  batch: Batch,
  {inputs}: FunctionSpec,
  seed?: number,
): Record<string, Tensor> {
  const all = {
    ...batchInputs(batch, config),
    labels: labelsOf(batch, head),
    ...(seed === undefined ? {} : {seeds: dropoutSeeds(seed, 0, numDropoutSites(config))}),
    ...Object.fromEntries(
      parameters.map(parameter => [parameter.name, tf.tensor(initialValue(parameter, config, 0), parameter.shape)]),
    ),
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => name in inputs));
}
