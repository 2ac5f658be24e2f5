// A checkpoint → a Classifier over one of the two engines.
import {setImmediate} from 'node:timers/promises';
import type {Batch, Checkpoint, NamedTensor} from '../data/types.js';
import {FtftError} from '../errors.js';
import type {Classifier, ClassifierOptions, LoadReport, StepResult} from './classifier.js';
import {CompiledEngine} from './compiled-engine.js';
import {EagerEngine} from './eager-engine.js';
import type {Engine, EngineOptions} from './engine.js';
import {familyOf} from './families.js';
import {heads} from './heads.js';
import {initialValue, matchParameters} from './parameters.js';
import {hasFusedKernels} from './tensorflow.js';

/** Errors: see matchParameters. */
export function createClassifier(checkpoint: Checkpoint, options: ClassifierOptions): Classifier {
  const {seed, eager = false, layers, classNames, precision = 'float32', fused = true} = options;
  const head = heads[options.task ?? 'sequence-classification'];
  const {parameters, config, report} = matchParameters(checkpoint, {layers, numClasses: classNames.length, head});
  const engineOptions: EngineOptions = {
    config,
    head,
    parameters,
    dropoutSeed: options.dropout === false ? undefined : seed,
    weightDecay: options.weightDecay,
    precision,
    isFused: fused && hasFusedKernels,
  };
  if (eager && precision !== 'float32') throw new Error('Cannot train op by op in bfloat16: it exists in graphs alone');
  const engine = eager ? new EagerEngine(engineOptions) : new CompiledEngine(engineOptions);
  engine.assign(parameters.map(parameter => ({...parameter, read: () => initialValue(parameter, config, seed)})));
  return new EncoderClassifier(engineOptions, options, report, engine);
}

class EncoderClassifier implements Classifier {
  readonly numClasses: number;

  constructor(
    private readonly model: EngineOptions,
    private readonly options: ClassifierOptions,
    readonly report: LoadReport,
    private readonly engine: Engine,
  ) {
    this.numClasses = options.classNames.length;
  }

  async trainStep(batch: Batch, {step, learningRate}: {step: number; learningRate: number}): Promise<StepResult> {
    await setImmediate();
    return this.engine.trainStep(batch, step, learningRate);
  }

  async predict(batch: Batch): Promise<Float32Array> {
    await setImmediate();
    return this.engine.predict(batch);
  }

  weights(): NamedTensor[] {
    return this.engine.weights();
  }

  config(): Record<string, unknown> {
    const {classNames} = this.options;
    const {config, head} = this.model;
    const {className, layersKey} = familyOf(config);
    const isOfTexts = head === heads['sequence-classification'];
    const {_name_or_path, num_labels, _num_labels, torch_dtype, ...kept} = config.raw;
    return {
      ...kept,
      architectures: [className + head.className],
      model_type: config.modelType,
      [layersKey]: config.numHiddenLayers,
      ...(isOfTexts ? {problem_type: 'single_label_classification'} : {}),
      id2label: Object.fromEntries(classNames.map((name, i) => [String(i), name])),
      label2id: Object.fromEntries(classNames.map((name, i) => [name, i])),
      dtype: 'float32',
    };
  }

  state(): NamedTensor[] {
    return [...this.engine.weights(), ...this.engine.moments()];
  }

  restore(state: Iterable<NamedTensor>): void {
    const tensors = [...state];
    const expected = new Map(this.state().map(tensor => [tensor.name, tensor]));
    const found = new Map(tensors.map(tensor => [tensor.name, tensor]));
    for (const {name} of tensors) if (!expected.has(name)) throw corrupt(`it holds ${name}, which is unknown`);
    for (const {name, shape} of expected.values()) {
      const tensor = found.get(name);
      if (!tensor) throw corrupt(`it must hold ${name}, which is not there`);
      if (String(tensor.shape) !== String(shape))
        throw corrupt(`${name} must have shape [${shape}], its shape is [${tensor.shape}]`);
    }
    this.engine.assign(tensors);
  }

  dispose(): void {
    this.engine.dispose();
  }
}

function corrupt(expected: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot restore the training state: ${expected}`, {
    reason: 'CHECKPOINT_CORRUPT',
  });
}
