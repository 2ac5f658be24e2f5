// Padded grids of ids, mask and types, as tokenizers give them → what batch-inputs.ts makes of a batch, computed inside a graph.
// B batch · L length · T real tokens of the batch · P rows of relative positions · K taps of a convolution
import type {ModelConfig, RelativePositions} from '../data/types.js';
import type {RelativeLayout} from './attention.js';
import {masked} from './batch-inputs.js';
import type {Dimensions} from './compile/dimensions.js';
import {range} from './dropout.js';
import type {ModelInputs} from './families/family.js';
import {familyOf} from './families.js';
import {relativeRows} from './relative-positions.js';
import {execute, type Tensor, tf} from './tensorflow.js';

/** Each [B, L] int32; the mask is 0 for padding. Without types all tokens have type 0. */
export interface Grids {
  ids: Tensor;
  mask: Tensor;
  typeIds?: Tensor;
}

/** Sizes that the graph computes. */
export const computedSizes = ({relativePositions}: ModelConfig): string[] => (relativePositions ? ['T', 'P'] : ['T']);

export function graphInputs({ids, mask, typeIds}: Grids, config: ModelConfig, sizes: Dimensions): ModelInputs {
  const [B, L] = ids.shape as [number, number];
  const flat = (grid: Tensor) => tf.reshape(grid, [B * L]);
  const columns_L = range(L);
  // As in token-places.ts, the first token of a row is real whatever its mask says.
  const isReal_BL = tf.maximum(integers(tf.notEqual(mask, none())), integers(tf.equal(columns_L, none())));
  // At padding this is the last real token before it, which is of the same row.
  const tokens_BL = tf.sub(tf.reshape(runningSum(flat(isReal_BL), 0), [B, L]), integer(1));
  const [, found_T] = execute(
    'DynamicPartition',
    {num_partitions: {int: 2}, T: int},
    [range(B * L), flat(isReal_BL)],
    2,
  );
  const places_T = sized(found_T, [sizes.T]);
  const pick = (grid: Tensor) => gather(flat(grid), places_T);
  const firstTokens_B = tf.min(tokens_BL, 1);
  const numTokens = tf.reshape(tf.add(tf.max(tokens_BL), integer(1)), [1]);
  return {
    ids: pick(ids),
    typeIds: typeIds ? pick(typeIds) : tf.zerosLike(places_T),
    positions: pick(familyOf(config).hasPaddedPositions ? paddedPositions(ids, config) : everywhere(columns_L, ids)),
    places: places_T,
    tokens: tokens_BL,
    maskBias: tf.reshape(tf.mul(tf.cast(tf.equal(mask, none()), 'float32'), masked), [B, 1, 1, L]),
    firstTokens: firstTokens_B,
    starts: tf.concat([firstTokens_B, numTokens]),
    ...(config.relativePositions && relativeLayout(L, config.relativePositions, sizes.P)),
    ...(config.convolution && {neighbours: neighbours(tokens_BL, pick, config.convolution.kernelSize, sizes.T)}),
  };
}

/** [B, L]: the padding's own id, and from there on one more for each id that is not padding. */
function paddedPositions(ids_BL: Tensor, {padTokenId}: ModelConfig): Tensor {
  const pad = integer(padTokenId);
  const isCounted_BL = integers(tf.notEqual(ids_BL, pad));
  return tf.add(tf.mul(runningSum(isCounted_BL, 1), isCounted_BL), pad);
}

function relativeLayout(L: number, relative: RelativePositions, P: number): Partial<RelativeLayout> {
  // From this distance on every one has the last row of its direction.
  const far = relative.maxDistance;
  const {rows, slots} = relativeRows(far + 1, relative);
  const rowOf = tf.tensor1d(
    slots.map(slot => rows[slot]),
    'int32',
  );
  const rowsAt = (distances: Tensor) => {
    const near = tf.maximum(tf.minimum(distances, integer(far)), integer(-far));
    return gather(rowOf, tf.add(near, integer(far)));
  };
  const places_L = range(L);
  const longest = tf.max(places_L);
  const [first, last] = [rowsAt(tf.neg(longest)), rowsAt(longest)];
  const end = tf.add(last, integer(1));
  const numRows = tf.sub(end, first);
  const [rows_L1, columns_1L] = [tf.expandDims(places_L, 1), tf.expandDims(places_L, 0)];
  const slots_LL = tf.sub(rowsAt(tf.sub(rows_L1, columns_1L)), first);
  return {
    relativeRows: sized(execute('Range', {Tidx: int}, [first, end, integer(1)])[0], [P]),
    querySlots: tf.add(slots_LL, tf.mul(rows_L1, numRows)),
    keySlots: tf.add(slots_LL, tf.mul(columns_1L, numRows)),
  };
}

/** [T, K] */
function neighbours(tokens_BL: Tensor, pick: (grid: Tensor) => Tensor, K: number, T: number): Tensor {
  const ofRow = (value_B1: Tensor) => tf.expandDims(pick(everywhere(value_B1, tokens_BL)), 1);
  const [first_T1, last_T1] = [ofRow(tf.min(tokens_BL, 1, true)), ofRow(tf.max(tokens_BL, 1, true))];
  const taps = Int32Array.from({length: K}, (_, tap) => tap - (K - 1) / 2);
  const others_TK = tf.add(tf.expandDims(range(T), 1), tf.tensor2d(taps, [1, K], 'int32'));
  const isInside_TK = tf.logicalAnd(tf.greaterEqual(others_TK, first_T1), tf.lessEqual(others_TK, last_T1));
  return tf.sub(tf.mul(integers(isInside_TK), tf.add(others_TK, integer(1))), integer(1));
}

const int = {type: 'int32'} as const;
const integer = (value: number): Tensor => tf.scalar(value, 'int32');
const none = () => integer(0);
const integers = (x: Tensor): Tensor => tf.cast(x, 'int32');
/** Broadcast to the shape of the grid. */
const everywhere = (x: Tensor, grid: Tensor): Tensor => tf.add(x, tf.zerosLike(grid));

/** The sum of each value and those before it along the axis. */
function runningSum(x: Tensor, axis: number): Tensor {
  const attributes = {exclusive: {bool: false}, reverse: {bool: false}, T: int, Tidx: int};
  return execute('Cumsum', attributes, [x, integer(axis)])[0];
}

function gather(x: Tensor, indices: Tensor): Tensor {
  const attributes = {batch_dims: {int: 0}, Tparams: int, Tindices: int, Taxis: int};
  return execute('GatherV2', attributes, [x, indices, integer(0)])[0];
}

/** Names the sizes of what is as large as it turns out to be. */
const sized = (x: Tensor, shape: number[]): Tensor => execute('EnsureShape', {T: int, shape: {shape}}, [x])[0];
