// What the benchmark asks of both sides' processes, one JSON object a line, and what they answer; peers/model.py speaks the same.
import {padBatch} from '../../src/data/batches.js';
import type {Batch, TokenizedDataset} from '../../src/data/types.js';
import type {RawConfig} from '../model/shapes.js';

export type Precision = 'fp32' | 'bf16';

export interface CreateRequest {
  config: RawConfig;
  numClasses: number;
  precision: Precision;
  /** Ours: one native call a step, or one an op. PyTorch: torch.compile, or not. */
  compiled: boolean;
  /** The lengths of the batches change: what torch.compile is told. */
  dynamic?: boolean;
}

/** One batch, not padded: each side pads it, to the longest of its rows, before it looks at the clock. */
export interface RaggedBatch {
  ids: number[][];
  /** Position at which each row's second text begins; the row's length for single texts. */
  secondStarts: number[];
  labels: number[];
}

/** Seconds of each batch, in order, and what the last training step lost. */
export interface Steps {
  seconds: number[];
  loss?: number;
}

export interface Memory {
  /** Highest resident memory so far (VmHWM), in bytes. */
  peak: number;
  /** Resident now, garbage collected. */
  resident: number;
}

/** Row `instances[i]` of the dataset as row i. */
export function raggedBatch(dataset: TokenizedDataset, instances: ArrayLike<number>): RaggedBatch {
  const {inputIds, offsets, secondStarts, labels} = dataset;
  const rows = Array.from(instances);
  return {
    ids: rows.map(row => [...inputIds.subarray(offsets[row], offsets[row + 1])]),
    secondStarts: rows.map(row => secondStarts[row]),
    labels: rows.map(row => labels[row]),
  };
}

/** What our classifier is fed. */
export function paddedBatch({ids, secondStarts, labels}: RaggedBatch): Batch {
  const offsets = [0];
  for (const row of ids) offsets.push(offsets[offsets.length - 1] + row.length);
  const dataset: TokenizedDataset = {
    inputIds: Int32Array.from(ids.flat()),
    offsets: Int32Array.from(offsets),
    secondStarts: Int32Array.from(secondStarts),
    labels: Int32Array.from(labels),
    numClasses: 0,
    padTokenId: 0,
  };
  return padBatch(
    dataset,
    Int32Array.from(ids, (_, i) => i),
  );
}
