// One op after the other, as ordinary tfjs code runs: the reference for the compiled engine.
import type {Batch, NamedTensor} from '../data/types.js';
import {adamWRates, applyAdamW, momentNames, type Slot} from './adamw.js';
import {batchInputs, labelsOf} from './batch-inputs.js';
import type {StepResult} from './classifier.js';
import {composedLayers} from './composed-layers.js';
import {dropoutSeeds} from './dropout.js';
import type {Engine, EngineOptions} from './engine.js';
import {logitsOf, numDropoutSites} from './forward.js';
import {lossGradients} from './loss-gradients.js';
import {type Tensor, tf} from './tensorflow.js';
import {asNamedTensor, assignValues, createVariable, type Variable} from './variables.js';

export class EagerEngine implements Engine {
  private readonly names: string[];
  private readonly variables: Variable[];
  /** Made when first asked for: evaluation needs none. */
  private momentVariables: {m: Variable[]; v: Variable[]} | undefined;

  constructor(private readonly options: EngineOptions) {
    this.names = options.parameters.map(({name}) => name);
    this.variables = options.parameters.map(({name, shape}) => createVariable(name, shape));
  }

  trainStep(batch: Batch, step: number, learningRate: number): StepResult {
    const {config, head, dropoutSeed, weightDecay} = this.options;
    return tf.tidy(() => {
      const values = this.variables.map(variable => variable.read());
      const labels = labelsOf(batch, head);
      const layers = composedLayers(
        dropoutSeed === undefined ? undefined : dropoutSeeds(dropoutSeed, step, numDropoutSites(config)),
      );
      const pass = {config, inputs: batchInputs(batch, config), layers};
      const {loss, logits, gradients} = lossGradients(this.names, values, pass, head, labels);
      tf.dispose(values);
      const rates = tf.tensor1d(adamWRates(step, learningRate, weightDecay));
      const gradNorm = applyAdamW(this.slots(), gradients, rates, weightDecay > 0);
      const result = {loss: floats(loss)[0], gradNorm: floats(gradNorm)[0], logits: floats(logits)};
      logits.dispose();
      return result;
    });
  }

  predict(batch: Batch): Float32Array {
    const {config, head} = this.options;
    return tf.tidy(() => {
      const weights = (name: string) => this.variables[this.names.indexOf(name)].read();
      return floats(logitsOf({config, weights, inputs: batchInputs(batch, config), layers: composedLayers()}, head));
    });
  }

  weights(): NamedTensor[] {
    return this.variables.map(asNamedTensor);
  }

  moments(): NamedTensor[] {
    const {m, v} = this.allMoments();
    return [...m, ...v].map(asNamedTensor);
  }

  assign(tensors: Iterable<NamedTensor>): void {
    const known = new Map(this.variables.map(variable => [variable.name, variable]));
    for (const tensor of tensors) {
      const variable = known.get(tensor.name) ?? this.momentNamed(tensor.name);
      assignValues(variable, tensor.read());
    }
  }

  dispose(): void {
    const {m, v} = this.momentVariables ?? {m: [], v: []};
    for (const variable of [...this.variables, ...m, ...v]) variable.dispose();
  }

  private allMoments(): {m: Variable[]; v: Variable[]} {
    const made = (kind: 'm' | 'v') =>
      this.variables.map(({name, shape}) => createVariable(momentNames(name)[kind], shape));
    this.momentVariables ??= {m: made('m'), v: made('v')};
    return this.momentVariables;
  }

  private momentNamed(name: string): Variable {
    const {m, v} = this.allMoments();
    return [...m, ...v].find(variable => variable.name === name)!;
  }

  private slots(): Slot[] {
    const {m, v} = this.allMoments();
    return this.variables.map((weight, i) => ({weight, m: m[i], v: v[i]}));
  }
}

const floats = (tensor: Tensor): Float32Array => tensor.dataSync() as Float32Array;
