// Events of the log ↔ bytes: a JSON header and, for chunks, their columns as they are.
import {decodeColumns, encodeColumns} from './columns.js';
import type {LogEvent} from './types.js';

type Chunk = Extract<LogEvent, {kind: 'chunk'}>;

export function encodeEvent(event: LogEvent, time: number): Buffer {
  if (event.kind !== 'chunk') return encodeColumns({time, event});
  const {pTrue, correctBits, logits, ...rest} = event;
  return encodeColumns({time, event: rest}, {pTrue, correctBits, logits});
}

export function decodeEvent(body: Uint8Array): {event: LogEvent; time: number} {
  const {header, columns} = decodeColumns(body);
  const {time, event} = header as {time: number; event: LogEvent};
  return event.kind === 'chunk' ? {time, event: {...event, ...columns} as Chunk} : {time, event};
}

/** Epoch that an event bounds or begins with; undefined for events that concern no epoch. */
export function epochOf(event: LogEvent): number | undefined {
  if (event.kind === 'epochs-discarded') return event.firstEpoch;
  return 'epoch' in event ? event.epoch : undefined;
}
