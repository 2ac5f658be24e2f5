// A stored chunk → the messages that carry what a reader chose of it.
import type {LogEvent} from '../runs/types.js';
import {bitAt, floatColumn, packBits} from './columns.js';
import type {DynamicsChunk} from './gen/ftft/v1/dynamics.js';
import {type ChunkChoice, instancesPerMessage} from './stream-request.js';

type StoredChunk = Extract<LogEvent, {kind: 'chunk'}>;

export interface ChunkPart {
  chunk: DynamicsChunk;
  /** Instances of the stored chunk that are done with once this part has arrived. */
  numSent: number;
  isLast: boolean;
}

/** Parts from the stored chunk's instance numSent on; none when the reader chose none of its instances. */
export function* chunkParts(stored: StoredChunk, choice: ChunkChoice, numSent: number): Generator<ChunkPart> {
  if (choice.view === 'summary') return;
  const rows = chosenRows(stored, choice.instances, numSent);
  const size = instancesPerMessage(choice, stored.numClasses);
  for (let first = 0; first < rows.count; first += size) {
    const end = Math.min(first + size, rows.count);
    const isLast = end === rows.count;
    yield {
      chunk: part(stored, choice, rows, first, end),
      numSent: isLast ? stored.instanceCount : rows.rowAt(end - 1) + 1,
      isLast,
    };
  }
}

/** Rows of the stored chunk, by position among those chosen. */
interface Rows {
  count: number;
  rowAt(position: number): number;
  /** Without a filter the rows follow each other, and columns are sent as they lie. */
  areConsecutive: boolean;
  /** What first_instance says of a position. */
  nameOf(position: number): number;
}

function chosenRows({firstInstance, instanceCount}: StoredChunk, instances: number[] | undefined, from: number): Rows {
  if (!instances)
    return {
      count: instanceCount - from,
      rowAt: position => from + position,
      areConsecutive: true,
      nameOf: position => firstInstance + from + position,
    };
  const begin = lowerBound(instances, firstInstance + from);
  const end = lowerBound(instances, firstInstance + instanceCount);
  return {
    count: Math.max(0, end - begin),
    rowAt: position => instances[begin + position] - firstInstance,
    areConsecutive: false,
    nameOf: position => begin + position,
  };
}

function part(stored: StoredChunk, choice: ChunkChoice, rows: Rows, first: number, end: number): DynamicsChunk {
  const column = (values: Float32Array, width: number): Buffer => {
    if (rows.areConsecutive) return floatColumn(values, rows.rowAt(first) * width, (rows.rowAt(end - 1) + 1) * width);
    const gathered = new Float32Array((end - first) * width);
    for (let i = first; i < end; i++) {
      const row = rows.rowAt(i);
      gathered.set(values.subarray(row * width, (row + 1) * width), (i - first) * width);
    }
    return floatColumn(gathered, 0, gathered.length);
  };
  const isFull = choice.view === 'full';
  return {
    epoch: stored.epoch,
    chunkIndex: stored.chunkIndex,
    firstInstance: rows.nameOf(first),
    instanceCount: end - first,
    pTrue: column(stored.pTrue, 1),
    correct: packBits(end - first, i => bitAt(stored.correctBits, rows.rowAt(first + i))),
    logits: isFull ? column(stored.logits, stored.numClasses) : Buffer.alloc(0),
    classCount: isFull ? stored.numClasses : 0,
  };
}

/** First position whose value is not below the bound. */
function lowerBound(ascending: number[], bound: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
