// A checkpoint → a Classifier: weights and moments in TensorFlow, one eager op after the other.
import {setImmediate} from 'node:timers/promises';
import type {Batch, Checkpoint, ModelConfig, NamedTensor} from '../data/types.js';
import {FtftError} from '../errors.js';
import {type AdamW, createAdamW} from './adamw.js';
import {batchInputs} from './batch-inputs.js';
import {logits_BC, numDropoutSites} from './bert.js';
import type {Classifier, ClassifierOptions, LoadReport, StepResult} from './classifier.js';
import {type Dropout, dropoutSeeds, noDropout, seededDropout} from './dropout.js';
import {lossGradients} from './loss-gradients.js';
import {initialValue, matchParameters} from './parameters.js';
import {type Tensor, tf} from './tensorflow.js';
import {asNamedTensor, assignValues, createVariable, type Variable} from './variables.js';

/** Errors: see matchParameters. */
export function createClassifier(checkpoint: Checkpoint, options: ClassifierOptions): Classifier {
  const numClasses = options.classNames.length;
  const {parameters, config, report} = matchParameters(checkpoint, {layers: options.layers, numClasses});
  const weights = parameters.map(parameter =>
    createVariable(parameter.name, parameter.shape, initialValue(parameter, config, options.seed)),
  );
  return new BertClassifier(config, options, report, weights);
}

class BertClassifier implements Classifier {
  readonly numClasses: number;
  private readonly names: string[];
  /** Made at the first step: evaluation needs no moments. */
  private optimizer: AdamW | undefined;

  constructor(
    private readonly modelConfig: ModelConfig,
    private readonly options: ClassifierOptions,
    readonly report: LoadReport,
    private readonly variables: Variable[],
  ) {
    this.numClasses = options.classNames.length;
    this.names = variables.map(({name}) => name);
  }

  async trainStep(batch: Batch, {step, learningRate}: {step: number; learningRate: number}): Promise<StepResult> {
    await setImmediate();
    return tf.tidy(() => {
      const values = this.variables.map(variable => variable.read());
      const labels = tf.tensor1d(batch.labels, 'int32');
      const dropout = this.dropout(step);
      const {loss, logits, gradients} = lossGradients(
        this.names,
        values,
        batchInputs(batch),
        labels,
        this.modelConfig,
        dropout,
      );
      tf.dispose(values);
      const gradNorm = this.adamW().apply(gradients, step, learningRate);
      const result = {loss: scalar(loss), gradNorm: scalar(gradNorm), logits: floats(logits)};
      logits.dispose();
      return result;
    });
  }

  async predict(batch: Batch): Promise<Float32Array> {
    await setImmediate();
    return tf.tidy(() => {
      const weights = (name: string) => this.variables[this.names.indexOf(name)].read();
      return floats(logits_BC(weights, batchInputs(batch), this.modelConfig, noDropout));
    });
  }

  weights(): NamedTensor[] {
    return this.variables.map(asNamedTensor);
  }

  config(): Record<string, unknown> {
    const {classNames} = this.options;
    const {_name_or_path, num_labels, _num_labels, torch_dtype, ...kept} = this.modelConfig.raw;
    return {
      ...kept,
      architectures: ['BertForSequenceClassification'],
      model_type: 'bert',
      num_hidden_layers: this.modelConfig.numHiddenLayers,
      problem_type: 'single_label_classification',
      id2label: Object.fromEntries(classNames.map((name, i) => [String(i), name])),
      label2id: Object.fromEntries(classNames.map((name, i) => [name, i])),
      dtype: 'float32',
    };
  }

  state(): NamedTensor[] {
    return this.stateVariables().map(asNamedTensor);
  }

  restore(state: Iterable<NamedTensor>): void {
    const expected = new Map(this.stateVariables().map(variable => [variable.name, variable]));
    const found = new Map([...state].map(tensor => [tensor.name, tensor]));
    for (const {name} of found.values()) if (!expected.has(name)) throw corrupt(`it holds ${name}, which is unknown`);
    for (const {name, shape} of expected.values()) {
      const tensor = found.get(name);
      if (!tensor) throw corrupt(`it must hold ${name}, which is not there`);
      if (String(tensor.shape) !== String(shape))
        throw corrupt(`${name} must have shape [${shape}], its shape is [${tensor.shape}]`);
    }
    for (const variable of expected.values()) assignValues(variable, found.get(variable.name)!.read());
  }

  dispose(): void {
    for (const variable of [...this.variables, ...(this.optimizer?.moments ?? [])]) variable.dispose();
  }

  private adamW(): AdamW {
    this.optimizer ??= createAdamW(this.variables, this.options.weightDecay);
    return this.optimizer;
  }

  private stateVariables(): Variable[] {
    return [...this.variables, ...this.adamW().moments];
  }

  private dropout(step: number): Dropout {
    if (this.options.dropout === false) return noDropout;
    return seededDropout(dropoutSeeds(this.options.seed, step, numDropoutSites(this.modelConfig)));
  }
}

function scalar(tensor: Tensor): number {
  return tensor.dataSync()[0];
}

function floats(tensor: Tensor): Float32Array {
  return tensor.dataSync() as Float32Array;
}

function corrupt(expected: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot restore the training state: ${expected}`, {
    reason: 'CHECKPOINT_CORRUPT',
  });
}
