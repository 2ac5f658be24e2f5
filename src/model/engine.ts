// What a classifier asks of the tensor library: one training step, one forward pass, and its state. Two of them are interchangeable: one op
// after the other (eager-engine.ts), and each step as one graph (compiled-engine.ts).
import type {Batch, ModelConfig, NamedTensor} from '../data/types.js';
import type {Precision, StepResult} from './classifier.js';
import type {Head} from './heads/head.js';

export interface Parameter {
  name: string;
  shape: number[];
}

export interface EngineOptions {
  config: ModelConfig;
  head: Head;
  /** Names and shapes of the weights, in a fixed order. */
  parameters: Parameter[];
  /** Of the dropout masks; undefined: no dropout. */
  dropoutSeed: number | undefined;
  weightDecay: number;
  precision: Precision;
  /** Our own kernels instead of TensorFlow's ops; in graphs alone. */
  isFused: boolean;
}

export interface Engine {
  trainStep(batch: Batch, step: number, learningRate: number): StepResult;
  predict(batch: Batch): Float32Array;
  weights(): NamedTensor[];
  /** First and second moments, zero before the first step. */
  moments(): NamedTensor[];
  /** Weights and moments by name; what is not named stays. Shapes have been checked. */
  assign(tensors: Iterable<NamedTensor>): void;
  dispose(): void;
}
