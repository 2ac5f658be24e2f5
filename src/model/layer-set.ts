// What a model is built from. Two sets give the same numbers: layers of TensorFlow's own ops (composed-layers.ts), and layers that are one
// kernel each, forward and backward (fused-layers.ts).
// B batch · T real tokens of the batch · D, F any width · C classes
import type {Activation} from '../data/types.js';
import type {Layout, RelativeLayout} from './attention.js';
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
  /** x [T, E], weight [F, E] → [T, F]. */
  product(x: Tensor, weight: Tensor): Tensor;
  activation(name: Activation, x: Tensor): Tensor;
  /** Layer norm of x over the last axis. */
  norm(x: Tensor, norm: Norm): Tensor;
  /** Layer norm of dropout(x) + residual over the last axis. All [T, D]. */
  addNorm(x: Tensor, residual: Tensor, norm: Norm, dropout: DropoutSite): Tensor;
  /** x [T, D]. */
  dropout(x: Tensor, dropout: DropoutSite): Tensor;
  /** qkv [T, 3D] → context [T, D]: each text attends to itself. Dropout is on the probabilities. */
  attention(qkv: Tensor, layout: Layout, numHeads: number, dropout: DropoutSite): Tensor;
  /** The same with DeBERTa's scores. */
  relativeAttention(
    qkv: Tensor,
    layout: RelativeLayout,
    tables: PositionTables,
    numHeads: number,
    dropout: DropoutSite,
  ): Tensor;
  /** x [T, D], weight [D, D, K] as PyTorch keeps it, bias [D], neighbours [T, K] → [T, D]. */
  convolution(x: Tensor, weight: Tensor, bias: Tensor, neighbours: Tensor): Tensor;
  /** Mean of -log softmax(logits)[label] over the rows of logits [B, C] whose label is not negative. */
  crossEntropy(logits: Tensor, labels: Tensor): Tensor;
  /** The same over each text's tokens: logits [T, 2], labels [B, 2]; mean of both columns. */
  spanLoss(logits: Tensor, labels: Tensor, layout: Layout): Tensor;
}

/** What relative positions are to queries and to keys, each [P, D]; undefined where the model has no such term. */
export interface PositionTables {
  keys?: Tensor;
  queries?: Tensor;
}

export interface Norm {
  scale: Tensor;
  offset: Tensor;
  epsilon: number;
}
