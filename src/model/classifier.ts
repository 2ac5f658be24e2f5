// What the rest of the program sees of a model: typed arrays in, typed arrays out. Tensors never leave model/.
import type {Batch, NamedTensor} from '../data/types.js';

/** Arithmetic of the forward and backward pass. With bfloat16, matrix products are of it; weights, norms, loss and updates are float32. */
export type Precision = 'float32' | 'bfloat16';

/** What is told: a class of each text, a class of each token, or where in a text an answer begins and ends. */
export type Task = 'sequence-classification' | 'token-classification' | 'question-answering';

/** Choices that do not follow from the checkpoint. */
export interface ClassifierOptions {
  /** sequence-classification unless said otherwise. */
  task?: Task;
  /** Use only the first layers; all when undefined. */
  layers?: number;
  /** Class names in index order: they give the size of the head and the config's id2label. */
  classNames: string[];
  /** Draws the new head's weights; dropout masks derive from it and the step number. */
  seed: number;
  /** Decoupled; not applied to biases and layer norms. */
  weightDecay: number;
  /** False: no dropout (parity tests). */
  dropout?: boolean;
  /** float32 unless said otherwise; bfloat16 needs the compiled step. */
  precision?: Precision;
  /** True: one op after the other instead of one graph for each step. The same numbers, slower: the reference for tests. */
  eager?: boolean;
  /** False: graphs of TensorFlow's own ops though our kernels are there. The same numbers, slower. */
  fused?: boolean;
}

/** What loading a checkpoint did with its tensors. */
export interface LoadReport {
  used: string[];
  ignored: string[];
  newlyInitialised: string[];
}

export interface StepResult {
  /** Mean cross-entropy of the batch, before the update. NaN and infinities are the caller's to judge. */
  loss: number;
  /** Global gradient norm before clipping. */
  gradNorm: number;
  /** [B * C], of the same forward pass, before the update; [T * C] where each token has a class, [T * 2] for answers, T real tokens. */
  logits: Float32Array;
}

/**
 * An encoder with a head, and its optimizer. One call at a time. A batch's labels are [B] for classes of texts; [B * L] for those of tokens,
 * -100 for none; [B * 2], places of the first and the last token in their text, for answers.
 */
export interface Classifier {
  readonly numClasses: number;
  readonly report: LoadReport;
  /** One AdamW update, gradients clipped at global norm 1. Equal state, batch, step and rate give equal bits. `step` counts the
   * updates made before this one, from 0 (AdamW's t is step + 1). */
  trainStep(batch: Batch, options: {step: number; learningRate: number}): Promise<StepResult>;
  /** Logits as in StepResult, without dropout. */
  predict(batch: Batch): Promise<Float32Array>;
  /** Weights under the names of the Hugging Face hub, in a fixed order. */
  weights(): NamedTensor[];
  /** config.json for a folder that holds weights(). */
  config(): Record<string, unknown>;
  /** Everything that a resumed run needs besides position and seed: weights and optimizer moments. */
  state(): NamedTensor[];
  /** The inverse of state(); FAILED_PRECONDITION/CHECKPOINT_CORRUPT when names or shapes do not fit. */
  restore(state: Iterable<NamedTensor>): void;
  dispose(): void;
}
