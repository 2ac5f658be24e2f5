// What the program has to know of a family of encoders: the names of its tensors, and its forward pass, written in layers of either set. No
// file here loads the tensor library: the server matches checkpoints too.
// B batch · T real tokens of the batch · D hidden. Only attention sees padding; everything else runs on the T tokens.
import type {Activation, ModelConfig} from '../../data/types.js';
import type {RelativeLayout} from '../attention.js';
import type {LayerSet} from '../layer-set.js';
import type {Tensor} from '../tensorflow.js';

/** A parameter's value, by its name on the hub. */
export type Weights = (name: string) => Tensor;

/** One batch, as tensors. */
export interface ModelInputs extends RelativeLayout {
  /** Each [T] int32. */
  ids: Tensor;
  typeIds: Tensor;
  positions: Tensor;
  /** [B] int32: the first token of each row among the T. */
  firstTokens: Tensor;
}

/** One forward pass. */
export interface Pass {
  config: ModelConfig;
  weights: Weights;
  inputs: ModelInputs;
  layers: LayerSet;
  /** [R] int32: the tokens whose last hidden state is read; all when undefined. */
  read?: Tensor;
}

export interface ParameterShape {
  name: string;
  shape: number[];
}

/** First token → dropout → dense → activation → dropout → linear: what all families have for whole texts, under different names. */
export interface SequenceHead {
  inputDropout: number;
  dense: string;
  activation: Activation;
  linear: string;
}

export interface Family {
  /** With which transformers' names of its classes begin. */
  className: string;
  /** What the encoder's tensors are below; the checkpoint of an encoder alone leaves it out. */
  prefix: string;
  /** Where layers are counted, below the prefix. */
  layers: string;
  /** Key of config.json that counts them. */
  layersKey: string;
  /** Of the encoder, in a fixed order. */
  parameters(config: ModelConfig): ParameterShape[];
  sequenceHead(config: ModelConfig): SequenceHead;
  /** Places at which the encoder's dropout draws a mask; those of the head come after them. */
  numDropoutSites(config: ModelConfig): number;
  /** Tokens that a text may have. */
  maxLength(config: ModelConfig): number;
  /** Whether the second text's tokens have type 1; otherwise all have type 0. */
  hasTokenTypes: boolean;
  /** Positions count from the padding's id + 1; padding, also where a text spells it out, is not counted and has its id. Else: 0, 1, 2, …. */
  hasPaddedPositions?: boolean;
  /** [T, D] after the embeddings and after each layer, [R, D] after the last. Each belongs to the reader. */
  hiddenStates(pass: Pass): Generator<Tensor, void>;
}
