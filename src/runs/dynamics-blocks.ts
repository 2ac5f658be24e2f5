// A run's log → its committed epochs, block by block: the same instances of every epoch, so that nothing but a block is in memory.
import {createHash} from 'node:crypto';
import {setImmediate as nextTurn} from 'node:timers/promises';
import type {ScoreBlock} from '../pipeline/instance-scores.js';
import {bytesOf, unpackBits} from './columns.js';
import type {EventLog} from './store.js';
import type {LogEvent} from './types.js';

type Chunk = Extract<LogEvent, {kind: 'chunk'}>;

/** An epoch that was committed and not discarded later. */
export interface CommittedEpoch {
  epoch: number;
  /** Of its first chunk; the others follow it, and its commit follows them. */
  firstSequence: number;
  chunkCount: number;
  instanceCount: number;
  /** SHA-256, in hex, of the pTrue column. */
  digest: string;
  trainLoss: number;
}

/** In order, from epoch 0. */
export async function committedEpochs(log: EventLog, runId: string): Promise<CommittedEpoch[]> {
  const sequences: number[] = [];
  for (const {kind, epoch, sequence} of await log.epochMarks(runId)) {
    if (kind === 'epochs-discarded') sequences.length = Math.min(sequences.length, epoch);
    if (kind === 'epoch-committed') sequences[epoch] = sequence;
  }
  const epochs: CommittedEpoch[] = [];
  for (const sequence of sequences) {
    const [stored] = await log.read(runId, sequence, 1);
    if (stored?.event.kind !== 'epoch-committed') throw damaged(`event ${sequence} must end an epoch`);
    const {epoch, chunkCount, instanceCount, digest, trainLoss} = stored.event;
    epochs.push({epoch, chunkCount, instanceCount, digest, trainLoss, firstSequence: sequence - chunkCount});
  }
  return epochs;
}

/** Classes of the logits that the log keeps; 0 where it keeps none. */
export async function numLogitClasses(log: EventLog, runId: string, {firstSequence}: CommittedEpoch): Promise<number> {
  const {logits, numClasses} = await readChunk(log, runId, firstSequence);
  return logits.length === 0 ? 0 : numClasses;
}

/** In the order of the instances, without labels. The event loop turns between blocks. Throws after the last one when a digest is wrong. */
export async function* dynamicsBlocks(
  log: EventLog,
  runId: string,
  epochs: CommittedEpoch[],
): AsyncGenerator<ScoreBlock> {
  const hashes = epochs.map(() => createHash('sha256'));
  for (let index = 0; index < epochs[0].chunkCount; index++) {
    const chunks: Chunk[] = [];
    for (const [e, {epoch, firstSequence}] of epochs.entries()) {
      const chunk = await readChunk(log, runId, firstSequence + index);
      if (chunk.epoch !== epoch || chunk.chunkIndex !== index)
        throw damaged(`chunk ${index} of epoch ${epoch} is not there`);
      hashes[e].update(bytesOf(chunk.pTrue));
      chunks.push(chunk);
    }
    const [{firstInstance, instanceCount, numClasses}] = chunks;
    if (chunks.some(chunk => chunk.firstInstance !== firstInstance || chunk.instanceCount !== instanceCount))
      throw damaged(`chunk ${index} must hold the same instances in every epoch`);
    yield {
      pTrue: chunks.map(({pTrue}) => pTrue),
      isCorrect: chunks.map(({correctBits}) => unpackBits(correctBits, instanceCount)),
      logits: chunks.map(({logits}) => logits),
      numClasses,
    };
    await nextTurn();
  }
  for (const [e, {epoch, digest}] of epochs.entries()) {
    const found = hashes[e].digest('hex');
    if (found !== digest) throw damaged(`the digest of epoch ${epoch} must be ${digest}, it is ${found}`);
  }
}

async function readChunk(log: EventLog, runId: string, sequence: number): Promise<Chunk> {
  const [stored] = await log.read(runId, sequence, 1);
  if (stored?.event.kind === 'chunk') return stored.event;
  throw damaged(`event ${sequence} must hold dynamics`);
}

const damaged = (what: string): Error => new Error(`The log of a run is damaged: ${what}`);
