// Sizes of an encoder and of a padded batch in; estimated floating-point operations out.

/** The sizes that the estimate needs, of the layers in use. */
export interface EncoderShape {
  numLayers: number;
  hiddenSize: number;
  intermediateSize: number;
  numClasses: number;
}

/** instances * length tokens, padding included. */
export interface BatchShape {
  instances: number;
  tokens: number;
}

/**
 * One forward pass, a multiply and an add counted as two. Per token and layer, with hidden size D, intermediate size F and padded
 * length L: 8 D^2 (query, key, value and output projections), 4 L D (scores and their weighted sum), 4 D F (feed-forward). Per
 * instance: 2 D^2 (pooler) and 2 D C (classifier). Embedding look-ups, norms, activations and softmax are left out; they are
 * about one in a hundred at D = 384.
 */
export function forwardFlops(
  {numLayers, hiddenSize, intermediateSize, numClasses}: EncoderShape,
  batch: BatchShape,
): number {
  const length = batch.instances === 0 ? 0 : batch.tokens / batch.instances;
  const perToken = 8 * hiddenSize ** 2 + 4 * length * hiddenSize + 4 * hiddenSize * intermediateSize;
  const perInstance = 2 * hiddenSize ** 2 + 2 * hiddenSize * numClasses;
  return batch.tokens * numLayers * perToken + batch.instances * perInstance;
}

/** One optimizer update: a forward pass and a backward one of twice its operations; the update itself is left out. */
export const trainingFlops = (shape: EncoderShape, batch: BatchShape): number => 3 * forwardFlops(shape, batch);
