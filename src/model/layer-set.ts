// What a model is built from. Two sets give the same numbers: layers of TensorFlow's own ops (composed-layers.ts), and layers that are one
// kernel each, forward and backward (fused-layers.ts).
// B batch · T real tokens of the batch · D, F any width · C classes
import type {Activation} from '../data/types.js';
import type {Layout} from './attention.js';
import type {Tensor} from './tensorflow.js';

/** Drops a share of the values, by a mask that belongs to a place of the model. */
export interface DropoutSite {
  rate: number;
  /** Place in the seeds of a step. */
  site: number;
}

export interface LayerSet {
  /** Frees whatever the code makes but its result; the gradient keeps what it needs. */
  scope(code: () => Tensor): Tensor;
  /** Rows of a table [rows, D] at ids [T]. */
  embedding(table: Tensor, ids: Tensor): Tensor;
  /** Of the same shape. */
  add(a: Tensor, b: Tensor): Tensor;
  /** One below the other. */
  concat(parts: Tensor[]): Tensor;
  /** x [T, D], weight [F, D] as PyTorch keeps it, bias [F] → [T, F]. */
  dense(x: Tensor, weight: Tensor, bias: Tensor): Tensor;
  activation(name: Activation, x: Tensor): Tensor;
  /** Layer norm of dropout(x) + residual over the last axis. All [T, D]. */
  addNorm(x: Tensor, residual: Tensor, norm: Norm, dropout: DropoutSite): Tensor;
  /** x [T, D]. */
  dropout(x: Tensor, dropout: DropoutSite): Tensor;
  /** qkv [T, 3D] → context [T, D]: each text attends to itself. Dropout is on the probabilities. */
  attention(qkv: Tensor, layout: Layout, numHeads: number, dropout: DropoutSite): Tensor;
  /** Mean of -log softmax(logits)[label] over the rows of logits [B, C]. */
  crossEntropy(logits: Tensor, labels: Tensor): Tensor;
}

export interface Norm {
  scale: Tensor;
  offset: Tensor;
  epsilon: number;
}
