// The same model code, recorded: a training step, a forward pass, and every exchange of weights is one native call.
import type {Batch, NamedTensor} from '../data/types.js';
import {adamWRates, momentNames} from './adamw.js';
import {labelsOf} from './batch-inputs.js';
import type {StepResult} from './classifier.js';
import {autocast} from './compile/autocast.js';
import {compile, type Program} from './compile/program.js';
import {dropoutSeeds} from './dropout.js';
import type {Engine, EngineOptions, Parameter} from './engine.js';
import {numDropoutSites} from './forward.js';
import {assignFunction, fed, predictFunction, readFunction, trainFunction, zeroFunction} from './recorded-functions.js';
import {type Tensor, tf} from './tensorflow.js';

/** Weights go in and out in groups of about this many numbers: each group is a graph of its own, and none doubles the model's memory. */
const groupSize = 1 << 24;

export class CompiledEngine implements Engine {
  private readonly program: Program;
  private readonly momentParameters: Parameter[];
  private readonly groups: Parameter[][];
  private hasMoments = false;

  constructor(private readonly options: EngineOptions) {
    const {parameters} = options;
    const moments = (kind: 'm' | 'v') => parameters.map(({name, shape}) => ({name: momentNames(name)[kind], shape}));
    this.momentParameters = [...moments('m'), ...moments('v')];
    this.groups = [...grouped(parameters), ...grouped(this.momentParameters)];
    const functions = {
      train: trainFunction(options),
      predict: predictFunction(options),
      zero: zeroFunction(this.momentParameters),
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
    const {config, head, dropoutSeed, weightDecay} = this.options;
    return tf.tidy(() => {
      const inputs: Record<string, Tensor> = {
        ...fed(batch, this.options),
        labels: labelsOf(batch, head),
        rates: tf.tensor1d(adamWRates(step, learningRate, weightDecay)),
      };
      if (dropoutSeed !== undefined) inputs.seeds = dropoutSeeds(dropoutSeed, step, numDropoutSites(config));
      const {loss, gradNorm, logits} = this.program.run('train', inputs);
      return {loss: floats(loss)[0], gradNorm: floats(gradNorm)[0], logits: floats(logits)};
    });
  }

  predict(batch: Batch): Float32Array {
    return tf.tidy(() => floats(this.program.run('predict', fed(batch, this.options)).logits));
  }

  weights(): NamedTensor[] {
    return this.named(this.options.parameters);
  }

  moments(): NamedTensor[] {
    this.ensureMoments();
    return this.named(this.momentParameters);
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
    if (this.momentParameters.some(({name}) => byName.has(name))) this.hasMoments = true;
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

const floats = (tensor: Tensor): Float32Array => tensor.dataSync() as Float32Array;
