// Tokenised columns → padded batches: shuffled for an epoch of training, by length for evaluation.
import {permutation, randomStream} from '../random.js';
import type {Batch, TokenizedDataset} from './types.js';

export interface EpochOrder {
  batchSize: number;
  seed: number;
  /** 0-based; every epoch has an order of its own. */
  epoch: number;
}

/** Each of the instances (positions in the dataset) once, in the epoch's order; the last batch may be short. */
export function* epochBatches(
  dataset: TokenizedDataset,
  instances: Int32Array,
  {batchSize, seed, epoch}: EpochOrder,
): Generator<Batch> {
  yield* batchesInOrder(dataset, epochOrder(instances, seed, epoch), batchSize);
}

/** The instances in the order in which the epoch visits them. */
export const epochOrder = (instances: Int32Array, seed: number, epoch: number): Int32Array =>
  permutation(instances.length, randomStream(seed, 'order', epoch)).map(place => instances[place]);

/** The whole dataset, longest first so that little is padded and memory peaks at once; Batch.instances says where results belong. */
export function* evaluationBatches(dataset: TokenizedDataset, batchSize: number): Generator<Batch> {
  yield* batchesInOrder(dataset, evaluationOrder(textLengths(dataset)), batchSize);
}

export const evaluationOrder = (lengths: Int32Array): Int32Array =>
  Int32Array.from(lengths, (_, i) => i).sort((a, b) => lengths[b] - lengths[a] || a - b);

/** Tokens of each instance. */
export const textLengths = ({offsets}: Pick<TokenizedDataset, 'offsets'>): Int32Array =>
  Int32Array.from({length: offsets.length - 1}, (_, i) => offsets[i + 1] - offsets[i]);

function* batchesInOrder(dataset: TokenizedDataset, order: Int32Array, batchSize: number): Generator<Batch> {
  for (let start = 0; start < order.length; start += batchSize)
    yield padBatch(dataset, order.slice(start, start + batchSize));
}

/** Pads the instances to the longest of them. */
export function padBatch(dataset: TokenizedDataset, instances: Int32Array): Batch {
  const {inputIds, offsets, secondStarts, labels, padTokenId} = dataset;
  const batchSize = instances.length;
  let length = 0;
  for (const instance of instances) length = Math.max(length, offsets[instance + 1] - offsets[instance]);
  const batch: Batch = {
    instances,
    inputIds: new Int32Array(batchSize * length).fill(padTokenId),
    tokenTypeIds: new Int32Array(batchSize * length),
    attentionMask: new Int32Array(batchSize * length),
    labels: Int32Array.from(instances, instance => labels[instance]),
    batchSize,
    length,
  };
  instances.forEach((instance, row) => {
    const start = row * length;
    const end = start + offsets[instance + 1] - offsets[instance];
    batch.inputIds.set(inputIds.subarray(offsets[instance], offsets[instance + 1]), start);
    batch.tokenTypeIds.fill(1, start + secondStarts[instance], end);
    batch.attentionMask.fill(1, start, end);
  });
  return batch;
}
