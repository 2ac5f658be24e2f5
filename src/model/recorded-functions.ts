// The functions of the compiled engine, as they are recorded: a training step, a forward pass, and every exchange of weights.
import type {Batch} from '../data/types.js';
import {applyAdamW, momentNames} from './adamw.js';
import {batchInputs} from './batch-inputs.js';
import type {FunctionSpec, InputSpec} from './compile/program.js';
import {composedLayers} from './composed-layers.js';
import type {EngineOptions, Parameter} from './engine.js';
import type {ModelInputs} from './families/family.js';
import {logitsOf, numDropoutSites} from './forward.js';
import {fusedLayers} from './fused-layers.js';
import {lossGradients} from './loss-gradients.js';
import {type Tensor, tf} from './tensorflow.js';
import {variableOf} from './variables.js';

const ints = (...shape: (number | string)[]): InputSpec => ({type: 'int32', shape});

const tokenSpecs: Record<string, InputSpec> = {
  ids: ints('T'),
  typeIds: ints('T'),
  positions: ints('T'),
  firstTokens: ints('B'),
  starts: ints('S'),
};

/** The padded grid, which fused attention needs none of. */
const gridSpecs: Record<string, InputSpec> = {
  places: ints('T'),
  tokens: ints('B', 'L'),
  maskBias: {type: 'float32', shape: ['B', 1, 1, 'L']},
};

/** Only what the model and its layers read. */
export function inputSpecs({
  config,
  head,
  isFused,
}: Pick<EngineOptions, 'config' | 'head' | 'isFused'>): Record<string, InputSpec> {
  const specs = {...tokenSpecs};
  if (!isFused || head.readsGrid) Object.assign(specs, gridSpecs);
  if (config.relativePositions) {
    specs.relativeRows = ints('P');
    Object.assign(specs, isFused ? {slots: ints('W')} : {querySlots: ints('L', 'L'), keySlots: ints('L', 'L')});
  }
  if (config.convolution) specs.neighbours = ints('T', config.convolution.kernelSize);
  return specs;
}

/** What the graph reads of a batch. */
export function fed(batch: Batch, options: EngineOptions): Record<string, Tensor> {
  const specs = inputSpecs(options);
  return Object.fromEntries(Object.entries(batchInputs(batch, options.config)).filter(([name]) => name in specs));
}

const layersOf = (options: EngineOptions, seeds?: Tensor) =>
  options.isFused ? fusedLayers(seeds) : composedLayers(seeds);
const predictingLayers = ({isFused}: EngineOptions) =>
  isFused ? fusedLayers(undefined, {forGradient: false}) : composedLayers();
const graphVariable = ({name, shape}: Parameter) => variableOf(name, shape, name);

export function trainFunction(options: EngineOptions): FunctionSpec {
  const {config, head, parameters, dropoutSeed, weightDecay} = options;
  const seeds: InputSpec = {type: 'int32', shape: [numDropoutSites(config), 2]};
  return {
    inputs: {
      ...inputSpecs(options),
      labels: head.labelsSpec,
      rates: {type: 'float32', shape: [3]},
      ...(dropoutSeed === undefined ? {} : {seeds}),
    },
    body({labels, rates, seeds, ...inputs}) {
      const variables = parameters.map(graphVariable);
      const slots = variables.map(weight => {
        const {m, v} = momentNames(weight.name);
        return {weight, m: variableOf(m, weight.shape, m), v: variableOf(v, weight.shape, v)};
      });
      const names = parameters.map(({name}) => name);
      const values = variables.map(variable => variable.read());
      const pass = {config, inputs: inputs as unknown as ModelInputs, layers: layersOf(options, seeds)};
      const {loss, logits, gradients} = lossGradients(names, values, pass, head, labels);
      const gradNorm = applyAdamW(slots, gradients, rates, weightDecay > 0);
      return {loss, gradNorm, logits};
    },
  };
}

export function predictFunction(options: EngineOptions): FunctionSpec {
  const {config, head, parameters} = options;
  return {
    inputs: inputSpecs(options),
    body(inputs) {
      const variables = new Map(parameters.map(parameter => [parameter.name, graphVariable(parameter)]));
      const weights = (name: string) => variables.get(name)!.read();
      const pass = {config, weights, inputs: inputs as unknown as ModelInputs, layers: predictingLayers(options)};
      return {logits: logitsOf(pass, head)};
    },
  };
}

export function zeroFunction(parameters: Parameter[]): FunctionSpec {
  return {
    inputs: {},
    body() {
      for (const parameter of parameters) graphVariable(parameter).assign(tf.fill(parameter.shape, 0));
      return {done: tf.scalar(1)};
    },
  };
}

export function readFunction(group: Parameter[]): FunctionSpec {
  return {
    inputs: {},
    body: () => Object.fromEntries(group.map((parameter, k) => [`v${k}`, graphVariable(parameter).read()])),
  };
}

export function assignFunction(group: Parameter[]): FunctionSpec {
  return {
    inputs: Object.fromEntries(group.map(({shape}, k) => [`v${k}`, {type: 'float32', shape}])),
    body(inputs) {
      group.forEach((parameter, k) => void graphVariable(parameter).assign(inputs[`v${k}`]));
      return {done: tf.scalar(1)};
    },
  };
}
