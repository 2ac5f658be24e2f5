// A run's log → its committed epochs, block by block: the same instances of every epoch, so that nothing but a block is in memory.
import {setImmediate as nextTurn} from 'node:timers/promises';
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

/** The same instances of every epoch, as the log has them. */
export interface DynamicsBlock {
  instanceCount: number;
  numClasses: number;
  /** One an epoch, of these instances: [n], [ceil(n / 8)], and [n * numClasses] or empty. */
  pTrue: Float32Array[];
  correctBits: Uint8Array[];
  logits: Float32Array[];
}

/** In the order of the instances. The event loop turns between blocks. */
export async function* dynamicsBlocks(
  log: EventLog,
  runId: string,
  epochs: CommittedEpoch[],
): AsyncGenerator<DynamicsBlock> {
  for (let index = 0; index < epochs[0].chunkCount; index++) {
    const chunks: Chunk[] = [];
    for (const {epoch, firstSequence} of epochs) {
      const chunk = await readChunk(log, runId, firstSequence + index);
      if (chunk.epoch !== epoch || chunk.chunkIndex !== index)
        throw damaged(`chunk ${index} of epoch ${epoch} is not there`);
      chunks.push(chunk);
    }
    const [{firstInstance, instanceCount, numClasses}] = chunks;
    if (chunks.some(chunk => chunk.firstInstance !== firstInstance || chunk.instanceCount !== instanceCount))
      throw damaged(`chunk ${index} must hold the same instances in every epoch`);
    yield {
      ...{instanceCount, numClasses},
      pTrue: chunks.map(({pTrue}) => pTrue),
      correctBits: chunks.map(({correctBits}) => correctBits),
      logits: chunks.map(({logits}) => logits),
    };
    await nextTurn();
  }
}

async function readChunk(log: EventLog, runId: string, sequence: number): Promise<Chunk> {
  const [stored] = await log.read(runId, sequence, 1);
  if (stored?.event.kind === 'chunk') return stored.event;
  throw damaged(`event ${sequence} must hold dynamics`);
}

export const damaged = (what: string): Error => new Error(`The log of a run is damaged: ${what}`);
