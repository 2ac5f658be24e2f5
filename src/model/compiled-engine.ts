// The same model code, recorded: a training step, a forward pass, and every exchange of weights is one native call.
import type {Batch, NamedTensor} from '../data/types.js';
import {adamWRates, applyAdamW, momentNames} from './adamw.js';
import {batchInputs} from './batch-inputs.js';
import {type BertInputs, logits_BC, numDropoutSites} from './bert.js';
import type {StepResult} from './classifier.js';
import {autocast} from './compile/autocast.js';
import {compile, type FunctionSpec, type InputSpec, type Program} from './compile/program.js';
import {composedLayers} from './composed-layers.js';
import {dropoutSeeds} from './dropout.js';
import type {Engine, EngineOptions} from './engine.js';
import {fusedLayers} from './fused-layers.js';
import {lossGradients} from './loss-gradients.js';
import {hasFusedKernels, type Tensor, tf} from './tensorflow.js';
import {variableOf} from './variables.js';

/** Weights go in and out in groups of about this many numbers: each group is a graph of its own, and none doubles the model's memory. */
const groupSize = 1 << 24;

// TensorFlow finds variables by name, in one name space for each loaded graph.
interface Parameter {
  name: string;
  shape: number[];
}

const tokenSpecs: Record<string, InputSpec> = {
  ids: {type: 'int32', shape: ['T']},
  typeIds: {type: 'int32', shape: ['T']},
  positions: {type: 'int32', shape: ['T']},
  firstTokens: {type: 'int32', shape: ['B']},
  starts: {type: 'int32', shape: ['S']},
};

/** What only the composed layers read: the padded grid. */
const gridSpecs: Record<string, InputSpec> = {
  places: {type: 'int32', shape: ['T']},
  tokens: {type: 'int32', shape: ['B', 'L']},
  maskBias: {type: 'float32', shape: ['B', 1, 1, 'L']},
};

const inputSpecs = hasFusedKernels ? tokenSpecs : {...tokenSpecs, ...gridSpecs};
const layersOf = hasFusedKernels ? fusedLayers : composedLayers;

/** What the graph reads of a batch. */
const fed = (batch: Batch): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(batchInputs(batch)).filter(([name]) => name in inputSpecs));

export class CompiledEngine implements Engine {
  private readonly program: Program;
  private readonly moments_: Parameter[];
  private readonly groups: Parameter[][];
  private hasMoments = false;

  constructor(private readonly options: EngineOptions) {
    const {parameters} = options;
    const moments = (kind: 'm' | 'v') => parameters.map(({name, shape}) => ({name: momentNames(name)[kind], shape}));
    this.moments_ = [...moments('m'), ...moments('v')];
    this.groups = [...grouped(parameters), ...grouped(this.moments_)];
    const functions = {
      train: trainFunction(options),
      predict: predictFunction(options),
      zero: zeroFunction(this.moments_),
      ...Object.fromEntries(
        this.groups.flatMap((group, i) => [
          [`read${i}`, readFunction(group)],
          [`assign${i}`, assignFunction(group)],
        ]),
      ),
    };
    this.program = compile(functions, options.precision === 'bfloat16' ? autocast : undefined);
  }

  trainStep(batch: Batch, step: number, learningRate: number): StepResult {
    this.ensureMoments();
    const {config, dropoutSeed, weightDecay} = this.options;
    return tf.tidy(() => {
      const inputs: Record<string, Tensor> = {
        ...fed(batch),
        labels: tf.tensor1d(batch.labels, 'int32'),
        rates: tf.tensor1d(adamWRates(step, learningRate, weightDecay)),
      };
      if (dropoutSeed !== undefined) inputs.seeds = dropoutSeeds(dropoutSeed, step, numDropoutSites(config));
      const {loss, gradNorm, logits} = this.program.run('train', inputs);
      return {loss: floats(loss)[0], gradNorm: floats(gradNorm)[0], logits: floats(logits)};
    });
  }

  predict(batch: Batch): Float32Array {
    return tf.tidy(() => floats(this.program.run('predict', fed(batch)).logits));
  }

  weights(): NamedTensor[] {
    return this.named(this.options.parameters);
  }

  moments(): NamedTensor[] {
    this.ensureMoments();
    return this.named(this.moments_);
  }

  assign(tensors: Iterable<NamedTensor>): void {
    const byName = new Map([...tensors].map(tensor => [tensor.name, tensor]));
    this.groups.forEach((group, i) => {
      const given = group.filter(({name}) => byName.has(name));
      if (given.length === 0) return;
      tf.tidy(() => {
        const inputs = group.map(({name, shape}, k) => [`v${k}`, tf.tensor(byName.get(name)!.read(), shape)]);
        this.program.run(`assign${i}`, Object.fromEntries(inputs));
      });
    });
    if (this.moments_.some(({name}) => byName.has(name))) this.hasMoments = true;
  }

  dispose(): void {
    this.program.dispose();
  }

  private ensureMoments(): void {
    if (!this.hasMoments) tf.tidy(() => void this.program.run('zero', {}));
    this.hasMoments = true;
  }

  /** A group is read when the first of it is asked for, and kept until all of it was. */
  private named(parameters: Parameter[]): NamedTensor[] {
    const groupOf = new Map(this.groups.flatMap((group, i) => group.map((parameter, k) => [parameter.name, {i, k}])));
    let held: {i: number; values: (Float32Array | undefined)[]} | undefined;
    return parameters.map(({name, shape}) => ({
      name,
      shape,
      read: () => {
        const {i, k} = groupOf.get(name)!;
        if (held?.i !== i || !held.values[k]) held = {i, values: this.readGroup(i)};
        const values = held.values[k]!;
        held.values[k] = undefined;
        return values;
      },
    }));
  }

  private readGroup(i: number): Float32Array[] {
    // No tidy: it would look for tensors in each number of what it returns.
    const tensors = Object.values(this.program.run(`read${i}`, {}));
    const values = tensors.map(floats);
    tf.dispose(tensors);
    return values;
  }
}

function grouped(parameters: Parameter[]): Parameter[][] {
  const groups: Parameter[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const parameter of parameters) {
    if (size > groupSize) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)!.push(parameter);
    size += tf.util.sizeFromShape(parameter.shape);
  }
  return groups;
}

const graphVariable = ({name, shape}: Parameter) => variableOf(name, shape, name);

function trainFunction({parameters, config, dropoutSeed, weightDecay}: EngineOptions): FunctionSpec {
  const seeds: InputSpec = {type: 'int32', shape: [numDropoutSites(config), 2]};
  return {
    inputs: {
      ...inputSpecs,
      labels: {type: 'int32', shape: ['B']},
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
      const bertInputs = inputs as unknown as BertInputs;
      const {loss, logits, gradients} = lossGradients(names, values, bertInputs, labels, config, layersOf(seeds));
      const gradNorm = applyAdamW(slots, gradients, rates, weightDecay > 0);
      return {loss, gradNorm, logits};
    },
  };
}

function predictFunction({parameters, config}: EngineOptions): FunctionSpec {
  return {
    inputs: inputSpecs,
    body(inputs) {
      const variables = new Map(parameters.map(parameter => [parameter.name, graphVariable(parameter)]));
      const weights = (name: string) => variables.get(name)!.read();
      return {logits: logits_BC(weights, inputs as unknown as BertInputs, config, layersOf())};
    },
  };
}

function zeroFunction(parameters: Parameter[]): FunctionSpec {
  return {
    inputs: {},
    body() {
      for (const parameter of parameters) graphVariable(parameter).assign(tf.fill(parameter.shape, 0));
      return {done: tf.scalar(1)};
    },
  };
}

function readFunction(group: Parameter[]): FunctionSpec {
  return {
    inputs: {},
    body: () => Object.fromEntries(group.map((parameter, k) => [`v${k}`, graphVariable(parameter).read()])),
  };
}

function assignFunction(group: Parameter[]): FunctionSpec {
  return {
    inputs: Object.fromEntries(group.map(({shape}, k) => [`v${k}`, {type: 'float32', shape}])),
    body(inputs) {
      group.forEach((parameter, k) => void graphVariable(parameter).assign(inputs[`v${k}`]));
      return {done: tf.scalar(1)};
    },
  };
}

const floats = (tensor: Tensor): Float32Array => tensor.dataSync() as Float32Array;
