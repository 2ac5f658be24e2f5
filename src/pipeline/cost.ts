// Sizes of an encoder and lengths of the texts of a batch in; estimated floating-point operations out.
import type {ModelConfig, RelativePositions} from '../data/types.js';
import {relativeRows} from '../model/relative-positions.js';

/** The sizes that the estimate needs, of the layers in use. */
export interface EncoderShape {
  numLayers: number;
  hiddenSize: number;
  intermediateSize: number;
  /** Of the tables of embeddings; projected to hiddenSize where it differs. */
  embeddingSize: number;
  numClasses: number;
  /** DeBERTa's. */
  relativePositions?: RelativePositions;
  /** Tokens under the convolution over the embeddings, where there is one. */
  convolutionSize?: number;
}

export function encoderShape(config: ModelConfig, numLayers: number, numClasses: number): EncoderShape {
  const {hiddenSize, intermediateSize, embeddingSize, relativePositions, convolution} = config;
  return {
    ...{numLayers, hiddenSize, intermediateSize, embeddingSize, numClasses},
    ...(relativePositions && {relativePositions}),
    ...(convolution && {convolutionSize: convolution.kernelSize}),
  };
}

/** Tokens of each text of a batch, padding left out. */
export type TextLengths = ArrayLike<number>;
export type CountFlops = (lengths: TextLengths) => number;

/**
 * One forward pass over a batch, a multiply and an add counted as two. Padding is not counted: it is not computed. With hidden size D,
 * intermediate size F, embedding size E, B texts of l tokens each, T = Σ l:
 *
 * - embeddings: 2 T E D where E is not D (ELECTRA-small, DeBERTa)
 * - each layer: 6 T D² (query, key, value), 4 D Σ l² (scores and their weighted sum), and for each of its R tokens that are read
 *   2 D² (output projection) and 4 D F (feed-forward). R = T, but B in the last layer: a classifier of texts reads first tokens only
 * - each layer of DeBERTa besides, for each of its two kinds of relative positions: 2 P D² (P positions of the batch projected) and
 *   2 D Σ l p (p positions of the text scored)
 * - its convolution over k tokens, where it has one: 2 k T D²
 * - head: 2 B D² and 2 B D C
 *
 * Look-ups, norms, activations and softmax are left out; they are about one in a hundred at D = 384.
 */
export function forwardFlops(shape: EncoderShape): CountFlops {
  const {numLayers, hiddenSize: D, intermediateSize: F, embeddingSize: E, numClasses: C, convolutionSize = 0} = shape;
  const countPositions = relativeFlops(shape);
  return lengths => {
    const B = lengths.length;
    const T = sum(lengths, length => length);
    const attention = 6 * T * D ** 2 + 4 * D * sum(lengths, length => length ** 2);
    const perRead = 2 * D ** 2 + 4 * D * F;
    const embeddings = E === D ? 0 : 2 * T * E * D;
    const layers = numLayers * (attention + countPositions(lengths)) + ((numLayers - 1) * T + B) * perRead;
    const head = 2 * B * D ** 2 + 2 * B * D * C;
    return embeddings + layers + 2 * convolutionSize * T * D ** 2 + head;
  };
}

/** One optimizer update: a forward pass and a backward one of twice its operations. What the backward pass computes again and the
 * update itself, some ten operations a weight, are left out. */
export function trainingFlops(shape: EncoderShape): CountFlops {
  const forward = forwardFlops(shape);
  return lengths => 3 * forward(lengths);
}

/** Of one layer. */
function relativeFlops({hiddenSize: D, relativePositions: relative}: EncoderShape): CountFlops {
  if (!relative) return () => 0;
  const numKinds = Number(relative.hasContentToPosition) + Number(relative.hasPositionToContent);
  const known = new Map<number, number>();
  const numPositions = (length: number): number => {
    const found = known.get(length) ?? relativeRows(length, relative).rows.length;
    known.set(length, found);
    return found;
  };
  return lengths => {
    if (lengths.length === 0) return 0;
    const scores = 2 * D * sum(lengths, length => length * numPositions(length));
    return numKinds * (2 * numPositions(longestOf(lengths)) * D ** 2 + scores);
  };
}

export function longestOf(lengths: TextLengths): number {
  let longest = 0;
  for (let i = 0; i < lengths.length; i++) longest = Math.max(longest, lengths[i]);
  return longest;
}

function sum(lengths: TextLengths, value: (length: number) => number): number {
  let total = 0;
  for (let i = 0; i < lengths.length; i++) total += value(lengths[i]);
  return total;
}
