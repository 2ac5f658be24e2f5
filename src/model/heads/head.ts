// What stands on an encoder: its parameters, which a checkpoint may lack, its logits and their loss.
// B batch · T real tokens of the batch · D hidden · C classes
import type {Batch, ModelConfig} from '../../data/types.js';
import type {InputSpec} from '../compile/program.js';
import type {Family, ParameterShape, Pass} from '../families/family.js';
import type {Tensor} from '../tensorflow.js';

export interface Head {
  /** With which transformers' names of its classes end. */
  className: string;
  parameters(family: Family, config: ModelConfig, numClasses: number): ParameterShape[];
  /** Whether the first token of each text is all that it reads of the last layer. */
  readsFirstTokens: boolean;
  /** x [T, D], or [B, D] of first tokens; `site` is the first of two places for dropout. */
  logits(pass: Pass, family: Family, x: Tensor, site: number): Tensor;
  /** The batch's labels as the loss reads them, int32. */
  labels(batch: Batch): {values: Int32Array; shape: number[]};
  labelsSpec: InputSpec;
  /** Whether the loss reads the padded grid. */
  readsGrid: boolean;
  /** Mean over what is labelled. */
  loss(pass: Pass, logits: Tensor, labels: Tensor): Tensor;
}

/** How many places for dropout a head may use. */
export const numHeadSites = 2;
