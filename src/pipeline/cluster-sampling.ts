// Loss trajectories and a budget in; equal numbers of instances of each cluster out (S2L, Yang et al. 2024, arXiv 2403.07384).
import {permutation, type RandomStream, randomStream} from '../random.js';
import {sampleGroups} from './stratified-sampling.js';

/** Rows of equal width, one after the other. */
export interface Rows {
  values: Float32Array;
  numRows: number;
}

export interface Clustering {
  /** 100 in S2L; one a row where the rows are fewer. */
  numClusters: number;
  /** 20 in S2L. */
  numIterations: number;
  seed: number;
}

/** Rows a cluster that centres are found from, at most: those of faiss, which S2L uses. */
const rowsPerCluster = 256;
/** Rows assigned between two yields. */
const rowsPerTurn = 4096;

/** Ascending. clusters: of each row, where they are known. Empty where a value is NaN. */
export function selectClustered(
  rows: Rows,
  {count, ...clustering}: Clustering & {count: number},
  clusters: Int32Array | undefined = finished(clusterRows(rows, clustering)),
): Int32Array {
  const all = Int32Array.from({length: rows.numRows}, (_, i) => i);
  return sampleGroups(all, clusters, clustering.numClusters, count, randomStream(clustering.seed, 'selection'));
}

/**
 * Cluster of each row: k-means (Lloyd) with Euclidean distance, from rows drawn as first centres. Centres are found from a sample of at
 * most 256 rows a cluster; a centre that no row is nearest to stays where it is. Yields now and then, for a caller that has a turn to give.
 */
export function* clusterRows(rows: Rows, {numClusters, numIterations, seed}: Clustering): Generator<void, Int32Array> {
  const {values, numRows} = rows;
  const clusters = new Int32Array(numRows);
  if (numRows === 0) return clusters;
  const width = values.length / numRows;
  const sample = draw(rows, width, numClusters * rowsPerCluster, randomStream(seed, 'selection', 1));
  const numCentres = Math.min(numClusters, numRows);
  const centres = Float64Array.from(sample.subarray(0, numCentres * width));
  const sampled = new Int32Array(sample.length / width);
  for (let iteration = 0; iteration < numIterations; iteration++) {
    yield* assign(sample, width, centres, sampled);
    moveCentres(sample, width, centres, sampled);
  }
  yield* assign(values, width, centres, clusters);
  return clusters;
}

function finished<T>(steps: Generator<void, T>): T {
  for (;;) {
    const {done, value} = steps.next();
    if (done) return value;
  }
}

/** So many rows at most, in random order; the first of them become centres. */
function draw({values, numRows}: Rows, width: number, most: number, random: RandomStream): Float32Array {
  const order = permutation(numRows, random).subarray(0, most);
  const sample = new Float32Array(order.length * width);
  order.forEach((row, at) => {
    sample.set(values.subarray(row * width, (row + 1) * width), at * width);
  });
  return sample;
}

function* assign(rows: Float32Array, width: number, centres: Float64Array, clusters: Int32Array): Generator<void> {
  for (let first = 0; first < clusters.length; first += rowsPerTurn) {
    assignSome(rows, width, centres, clusters, first, Math.min(clusters.length, first + rowsPerTurn));
    yield;
  }
}

/** The nearest centre; of equally near ones the first. */
function assignSome(
  rows: Float32Array,
  width: number,
  centres: Float64Array,
  clusters: Int32Array,
  first: number,
  end: number,
): void {
  for (let row = first; row < end; row++) {
    let least = Number.POSITIVE_INFINITY;
    for (let centre = 0, at = 0; at < centres.length; centre++) {
      let distance = 0;
      for (let e = row * width; e < (row + 1) * width; e++, at++) {
        const difference = rows[e] - centres[at];
        distance += difference * difference;
      }
      if (distance < least) {
        least = distance;
        clusters[row] = centre;
      }
    }
  }
}

/** To the mean of the rows nearest to it. */
function moveCentres(rows: Float32Array, width: number, centres: Float64Array, clusters: Int32Array): void {
  const sums = new Float64Array(centres.length);
  const sizes = new Float64Array(centres.length / width);
  clusters.forEach((centre, row) => {
    sizes[centre]++;
    for (let e = 0; e < width; e++) sums[centre * width + e] += rows[row * width + e];
  });
  for (let at = 0; at < centres.length; at++) {
    const size = sizes[Math.floor(at / width)];
    if (size > 0) centres[at] = sums[at] / size;
  }
}
