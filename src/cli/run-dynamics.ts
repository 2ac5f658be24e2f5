// StreamDynamics and ReadInstances of a run → its committed epochs and its instances, as columns.
import type {DynamicsChunk, DynamicsView} from '../server/gen/ftft/v1/dynamics.js';
import type {FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {bitAt, floatColumn} from './epoch-summary.js';
import {followDynamics} from './follow-dynamics.js';

export interface EpochColumns {
  pTrue: Float32Array;
  /** 0 or 1. */
  correct: Uint8Array;
  /** [instances * numClasses]; empty unless the view is full and the run kept them. */
  logits: Float32Array;
  numClasses: number;
}

export interface InstanceColumns {
  guids: string[];
  /** Class index; -1 where it is not known. */
  labels: number[];
  /** Only when asked for. */
  texts: string[];
  textPairs: string[];
}

/** What is committed now; a run that goes on is not waited for. */
export async function readDynamics(
  client: FtftServiceClient,
  run: string,
  view: DynamicsView,
  signal: AbortSignal,
): Promise<EpochColumns[]> {
  const epochs: EpochColumns[] = [];
  let chunks: DynamicsChunk[] = [];
  for await (const {event} of followDynamics(client, {name: run, view, noFollow: true}, {signal})) {
    if (event?.$case === 'epochStarted') chunks = [];
    if (event?.$case === 'chunk') chunks.push(event.value);
    if (event?.$case === 'epochCommitted') epochs[event.value.epoch] = whole(chunks, event.value.instanceCount);
    if (event?.$case === 'epochsDiscarded') {
      epochs.length = Math.min(epochs.length, event.value.firstEpoch);
      chunks = [];
    }
  }
  return epochs;
}

function whole(chunks: DynamicsChunk[], instanceCount: number): EpochColumns {
  const numClasses = chunks[0]?.classCount ?? 0;
  const epoch: EpochColumns = {
    pTrue: new Float32Array(instanceCount),
    correct: new Uint8Array(instanceCount),
    logits: new Float32Array(instanceCount * numClasses),
    numClasses,
  };
  for (const {firstInstance: first, instanceCount: count, pTrue, correct, logits} of chunks) {
    epoch.pTrue.set(floatColumn(pTrue), first);
    epoch.logits.set(floatColumn(logits), first * numClasses);
    for (let i = 0; i < count; i++) epoch.correct[first + i] = bitAt(correct, i);
  }
  return epoch;
}

export async function readInstances(
  client: FtftServiceClient,
  run: string,
  includeTexts: boolean,
  signal: AbortSignal,
): Promise<InstanceColumns> {
  const columns: InstanceColumns = {guids: [], labels: [], texts: [], textPairs: []};
  for await (const {block} of client.readInstances({name: run, includeTexts}, {signal})) {
    if (!block) continue;
    for (const guid of block.instanceIds) columns.guids.push(guid);
    for (const label of block.labels) columns.labels.push(label);
    for (const text of block.texts) columns.texts.push(text);
    for (const text of block.textPairs) columns.textPairs.push(text);
  }
  return columns;
}
