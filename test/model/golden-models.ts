// The parity kit's model cases → checkpoints, batches and expected tensors.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {openCheckpoint} from '../../src/data/checkpoint.js';
import {openSafetensors} from '../../src/data/safetensors.js';
import type {Batch, Checkpoint, NamedTensor} from '../../src/data/types.js';
import {sharedPath} from '../support/shared.js';

/** Token columns of some rows, padded or not. */
export interface Rows {
  input_ids: number[][];
  /** All 0 where there are none. */
  token_type_ids?: (number[] | undefined)[];
  attention_mask: number[][];
  labels?: number[];
}

export const goldenJson = (...parts: string[]) => JSON.parse(readFileSync(sharedPath('golden', ...parts), 'utf8'));

export const goldenTensors = (...parts: string[]): Map<string, NamedTensor> =>
  openSafetensors(join(sharedPath('golden', ...parts)));

/** The checkpoint with tensors added, such as the kit's head. */
export async function goldenCheckpoint(folder: string, ...extra: Map<string, NamedTensor>[]): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(folder);
  return {...checkpoint, tensors: new Map([checkpoint.tensors, ...extra].flatMap(map => [...map]))};
}

/** Pads to the longest row, or to `length`. */
export function toBatch(rows: Rows, length = Math.max(...rows.input_ids.map(row => row.length))): Batch {
  const batchSize = rows.input_ids.length;
  const column = (values: number[][]) =>
    Int32Array.from(values.flatMap(row => [...row, ...new Array(length - row.length).fill(0)]));
  return {
    instances: Int32Array.from({length: batchSize}, (_, i) => i),
    inputIds: column(rows.input_ids),
    tokenTypeIds: column(rows.input_ids.map((row, i) => rows.token_type_ids?.[i] ?? row.map(() => 0))),
    attentionMask: column(rows.attention_mask),
    labels: Int32Array.from(rows.labels ?? new Array(batchSize).fill(0)),
    batchSize,
    length,
  };
}

export function close(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  const worst = maxDifference(actual, expected);
  assert.ok(worst <= tolerance, `${what}: differs by ${worst}, tolerance ${tolerance}`);
}

/** NaN when a value is NaN. */
export function maxDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let worst = 0;
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

export const maxAbs = (values: ArrayLike<number>): number => maxDifference(values, new Float32Array(values.length));

/** Softmax probability of each row's label. */
export function pTrue(logits: Float32Array, labels: Int32Array): number[] {
  const C = logits.length / labels.length;
  return [...labels].map((label, row) => {
    const exps = [...logits.subarray(row * C, (row + 1) * C)].map(Math.exp);
    return exps[label] / exps.reduce((sum, e) => sum + e, 0);
  });
}
