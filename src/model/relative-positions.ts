// Distances between a query and its key → rows of DeBERTa's table of relative positions.
import type {RelativePositions} from '../data/types.js';

/** Which rows of the table a batch needs, and which of them each distance has. */
export interface RelativeRows {
  /** [P], ascending, one after the other. */
  rows: Int32Array;
  /** [2 * longest - 1]: for the distances 1 - longest … longest - 1 a place in rows. */
  slots: Int32Array;
}

/** longest: tokens of the longest text. */
export function relativeRows(longest: number, relative: RelativePositions): RelativeRows {
  const found = Int32Array.from({length: 2 * longest - 1}, (_, i) => rowOf(i + 1 - longest, relative));
  const first = found[0];
  return {
    rows: Int32Array.from({length: found[found.length - 1] - first + 1}, (_, i) => first + i),
    slots: found.map(row => row - first),
  };
}

/** Of a query that stands `distance` tokens behind its key. It never falls as the distance grows. */
function rowOf(distance: number, relative: RelativePositions): number {
  const {span, buckets} = relative;
  const bucket = buckets > 0 ? logBucket(distance, relative) : distance;
  return Math.min(Math.max(bucket + span, 0), 2 * span - 1);
}

/** DeBERTa-v2's bucket of a relative position: itself as far as half the buckets, then by the logarithm. */
export function logBucket(distance: number, {buckets, maxDistance}: RelativePositions): number {
  const half = Math.floor(buckets / 2);
  const far = Math.abs(distance);
  if (far <= half) return distance;
  const share = Math.log(far / half) / Math.log((maxDistance - 1) / half);
  return Math.sign(distance) * (Math.ceil(share * (half - 1)) + half);
}
