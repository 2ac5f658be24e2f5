// A tokenised split in; a fixed sample of the batches of its first epoch, the same for every side, out.
import {createHash} from 'node:crypto';
import {epochBatches} from '../src/data/batches.js';
import type {TokenizedDataset} from '../src/data/types.js';
import {type RaggedBatch, raggedBatch} from './workers/protocol.js';

export interface EpochSample {
  batches: RaggedBatch[];
  /** Share of the tokens, padded to the longest of each batch, that are no padding. */
  realShare: number;
  /** Of token ids, segments and labels: two sides with one digest had one sample. */
  digest: string;
}

/** `count` whole batches, evenly spread over the shuffled epoch; all whole batches where there are fewer. */
export function sampleEpoch(
  dataset: TokenizedDataset,
  {batchSize, count, seed}: {batchSize: number; count: number; seed: number},
): EpochSample {
  const everyone = Int32Array.from({length: dataset.labels.length}, (_, i) => i);
  const whole = [...epochBatches(dataset, everyone, {batchSize, seed, epoch: 0})].filter(
    batch => batch.batchSize === batchSize,
  );
  const kept = Math.min(count, whole.length);
  const chosen = Array.from({length: kept}, (_, i) => whole[Math.floor((i * whole.length) / kept)]);
  const batches = chosen.map(({instances}) => raggedBatch(dataset, instances));
  return {batches, realShare: realShare(batches), digest: digest(batches)};
}

function realShare(batches: RaggedBatch[]): number {
  let real = 0;
  let padded = 0;
  for (const {ids} of batches) {
    const lengths = ids.map(row => row.length);
    real += lengths.reduce((sum, length) => sum + length, 0);
    padded += lengths.length * Math.max(...lengths);
  }
  return real / padded;
}

const digest = (batches: RaggedBatch[]): string =>
  createHash('sha256').update(JSON.stringify(batches)).digest('hex').slice(0, 16);
