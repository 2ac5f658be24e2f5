// A run's log ↔ whole epochs of dynamics: what was announced by its commit and not discarded later.
import {createHash} from 'node:crypto';
import {setImmediate as nextTurn} from 'node:timers/promises';
import type {EpochDynamics} from '../pipeline/types.js';
import {bytesOf, packBits, unpackBits} from './columns.js';
import {type EventLog, eventsPerPage} from './store.js';
import type {LogEvent} from './types.js';

const chunkInstances = 16_384;

type Chunk = Extract<LogEvent, {kind: 'chunk'}>;

export function toChunks(epoch: number, dynamics: EpochDynamics): Chunk[] {
  const {pTrue, isCorrect, logits} = dynamics;
  const numClasses = logits.length / pTrue.length;
  const chunks: Chunk[] = [];
  for (let first = 0; first < pTrue.length; first += chunkInstances) {
    const end = Math.min(first + chunkInstances, pTrue.length);
    chunks.push({
      kind: 'chunk',
      epoch,
      chunkIndex: chunks.length,
      firstInstance: first,
      instanceCount: end - first,
      numClasses,
      pTrue: pTrue.slice(first, end),
      correctBits: packBits(isCorrect.subarray(first, end)),
      logits: logits.slice(first * numClasses, end * numClasses),
    });
  }
  return chunks;
}

/** SHA-256, in hex, of an epoch's whole pTrue column. */
export function digestOf({pTrue}: EpochDynamics): string {
  return createHash('sha256').update(bytesOf(pTrue)).digest('hex');
}

/** In order, from epoch 0. The event loop turns between pages of the log. */
export async function readCommittedEpochs(log: EventLog, runId: string): Promise<EpochDynamics[]> {
  const epochs: EpochDynamics[] = [];
  let chunks: Chunk[] = [];
  for (let sequence = 1; ; ) {
    const page = await log.read(runId, sequence, eventsPerPage);
    for (const {event} of page) {
      if (event.kind === 'epoch-started' || event.kind === 'epochs-discarded') chunks = [];
      if (event.kind === 'chunk') chunks.push(event);
      if (event.kind === 'epochs-discarded') epochs.length = Math.min(epochs.length, event.firstEpoch);
      if (event.kind === 'epoch-committed') epochs[event.epoch] = whole(event, chunks);
    }
    if (page.length < eventsPerPage) return epochs;
    sequence = page[page.length - 1].sequence + 1;
    await nextTurn();
  }
}

function whole({instanceCount, digest}: Extract<LogEvent, {kind: 'epoch-committed'}>, chunks: Chunk[]): EpochDynamics {
  const numClasses = chunks[0]?.numClasses ?? 0;
  const epoch: EpochDynamics = {
    pTrue: new Float32Array(instanceCount),
    isCorrect: new Uint8Array(instanceCount),
    logits: new Float32Array(instanceCount * numClasses),
  };
  for (const chunk of chunks) {
    epoch.pTrue.set(chunk.pTrue, chunk.firstInstance);
    epoch.isCorrect.set(unpackBits(chunk.correctBits, chunk.instanceCount), chunk.firstInstance);
    epoch.logits.set(chunk.logits, chunk.firstInstance * numClasses);
  }
  const found = digestOf(epoch);
  if (found !== digest)
    throw new Error(`The log of a run is damaged: an epoch's digest must be ${digest}, it is ${found}`);
  return epoch;
}
