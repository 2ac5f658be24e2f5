// What a model is built from. Two sets give the same numbers: layers of TensorFlow's own ops (composed-layers.ts), and layers that are one
// kernel each, forward and backward (fused-layers.ts).
import type {ModelConfig} from '../data/types.js';
import type {Layout} from './attention.js';
import type {Tensor} from './tensorflow.js';

/** Drops a share of the values, by a mask that belongs to a place of the model. */
export interface DropoutSite {
  rate: number;
  /** Place in the seeds of a step. */
  site: number;
}

export interface LayerSet {
  /** Rows of a table [rows, D] at ids [T]. */
  embedding(table: Tensor, ids: Tensor): Tensor;
  /** x [T, D], weight [F, D] as PyTorch keeps it, bias [F] → [T, F]. */
  dense(x: Tensor, weight: Tensor, bias: Tensor): Tensor;
  activation(name: ModelConfig['hiddenAct'], x: Tensor): Tensor;
  /** Layer norm of dropout(x) + residual over the last axis. All [T, D]. */
  addNorm(x: Tensor, residual: Tensor, norm: Norm, dropout: DropoutSite): Tensor;
  /** x [T, D]. */
  dropout(x: Tensor, dropout: DropoutSite): Tensor;
  /** qkv [T, 3D] → context [T, D]: each text attends to itself. Dropout is on the probabilities. */
  attention(qkv: Tensor, layout: Layout, numHeads: number, dropout: DropoutSite): Tensor;
}

export interface Norm {
  scale: Tensor;
  offset: Tensor;
  epsilon: number;
}
