// Which places of a padded batch hold tokens that are computed.
import type {Batch} from '../data/types.js';

/** Ascending. The first token of a row counts as real whatever its mask says: the head reads it. */
export function realPlaces({attentionMask, length}: Batch): Int32Array {
  const isReal = (place: number) => attentionMask[place] !== 0 || place % length === 0;
  let count = 0;
  for (let place = 0; place < attentionMask.length; place++) if (isReal(place)) count++;
  const places = new Int32Array(count);
  for (let place = 0, token = 0; place < attentionMask.length; place++) if (isReal(place)) places[token++] = place;
  return places;
}
