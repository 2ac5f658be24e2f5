// A padded batch of typed arrays → the tensors that a model reads, without the padding.
import type {Batch, ModelConfig} from '../data/types.js';
import {FtftError} from '../errors.js';
import type {Layout, RelativeLayout} from './attention.js';
import type {ModelInputs} from './families/family.js';
import {familyOf} from './families.js';
import type {Head} from './heads/head.js';
import {neighboursOf} from './neighbours.js';
import {relativeRows} from './relative-positions.js';
import {type Tensor, tf} from './tensorflow.js';
import {realPlaces} from './token-places.js';

/** Far below any score, far above float32's minimum: a score plus this is still finite, and its exponential is 0. */
export const masked = -1e9;

/** FAILED_PRECONDITION/MODEL_INVALID for ids and positions that the model has no embedding for. */
export function batchInputs(batch: Batch, config: ModelConfig): ModelInputs {
  const family = familyOf(config);
  const places = realPlaces(batch);
  const layout = layoutOf(batch, places);
  const pick = (values: Int32Array) => places.map(place => values[place]);
  const hasTypes = family.hasTokenTypes && config.typeVocabSize > 0;
  const typeIds = hasTypes ? pick(batch.tokenTypeIds) : new Int32Array(places.length);
  const ids = pick(batch.inputIds);
  refuseBeyond('token id', ids, config.vocabSize);
  refuseBeyond('token type', typeIds, Math.max(config.typeVocabSize, 1));
  refuseBeyond('position', [batch.length - 1], family.maxLength(config));
  return {
    ...layout,
    ids: ints(ids),
    typeIds: ints(typeIds),
    positions: ints(pick(positions(batch, config))),
    firstTokens: ints(startsOf(batch, places).slice(0, -1)),
    ...relativeInputs(batch, places, config),
  };
}

export function layoutOf(batch: Batch, places = realPlaces(batch)): Layout {
  const {batchSize: B, length: L, attentionMask} = batch;
  const starts = startsOf(batch, places);
  const tokens = Int32Array.from(attentionMask, (_, place) => starts[Math.floor(place / L)]);
  places.forEach((place, token) => {
    tokens[place] = token;
  });
  return {
    places: ints(places),
    tokens: tf.tensor2d(tokens, [B, L], 'int32'),
    maskBias: tf.tensor4d(
      Float32Array.from(attentionMask, bit => (bit === 0 ? masked : 0)),
      [B, 1, 1, L],
    ),
    starts: ints(starts),
  };
}

export function labelsOf(batch: Batch, head: Head): Tensor {
  const {values, shape} = head.labels(batch);
  return tf.tensor(values, shape, 'int32');
}

/** [B + 1]: the first of each row's tokens among the T, and their number. */
function startsOf({batchSize, length}: Batch, places: Int32Array): Int32Array {
  const starts = new Int32Array(batchSize + 1).fill(places.length);
  for (let token = places.length - 1; token >= 0; token--) starts[Math.floor(places[token] / length)] = token;
  return starts;
}

/** What DeBERTa's layers read. */
function relativeInputs(batch: Batch, places: Int32Array, config: ModelConfig): Partial<RelativeLayout> {
  const {relativePositions, convolution} = config;
  const inputs: Partial<RelativeLayout> = {};
  const starts = startsOf(batch, places);
  if (relativePositions) {
    const longest = starts.slice(1).reduce((most, end, row) => Math.max(most, end - starts[row]), 0);
    const {rows, slots} = relativeRows(longest, relativePositions);
    const {length: L} = batch;
    const grid = (behind: (i: number, j: number) => number) => {
      const all = Int32Array.from({length: L * L}, (_, place) => {
        const [i, j] = [Math.floor(place / L), place % L];
        const distance = Math.min(Math.max(i - j, 1 - longest), longest - 1);
        return behind(i, j) * rows.length + slots[distance + longest - 1];
      });
      return tf.tensor2d(all, [L, L], 'int32');
    };
    inputs.relativeRows = ints(rows);
    inputs.slots = ints(slots);
    inputs.querySlots = grid(i => i);
    inputs.keySlots = grid((_, j) => j);
  }
  if (convolution) {
    const {kernelSize: K} = convolution;
    inputs.neighbours = tf.tensor2d(neighboursOf(starts, K), [places.length, K], 'int32');
  }
  return inputs;
}

/** Of each place of the grid. */
function positions({inputIds, length}: Batch, config: ModelConfig): Int32Array {
  const {padTokenId} = config;
  if (!familyOf(config).hasPaddedPositions) return Int32Array.from(inputIds, (_, place) => place % length);
  let position = padTokenId;
  return inputIds.map((id, place) => {
    if (place % length === 0) position = padTokenId;
    return id === padTokenId ? padTokenId : ++position;
  });
}

function refuseBeyond(what: string, values: ArrayLike<number>, size: number): void {
  for (let i = 0; i < values.length; i++)
    if (values[i] < 0 || values[i] >= size)
      throw new FtftError(
        'FAILED_PRECONDITION',
        `Cannot run the model: every ${what} must be below ${size} by its config.json, found ${values[i]}`,
        {reason: 'MODEL_INVALID'},
      );
}

const ints = (values: Int32Array): Tensor => tf.tensor1d(values, 'int32');
