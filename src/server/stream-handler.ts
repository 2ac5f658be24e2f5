// StreamDynamics: replay, caught_up, live events with heartbeats, completed, OK. Anything else ends with an error, token in hand.

import {FtftError} from '../errors.js';
import type {EventRange} from '../runs/api.js';
import {isTerminal} from '../runs/run-state.js';
import type {RunRecord, StoredEvent} from '../runs/types.js';
import {chunkParts} from './chunk-parts.js';
import {draining, type ServerContext} from './context.js';
import type {StreamDynamicsRequest, StreamDynamicsResponse} from './gen/ftft/v1/dynamics.js';
import {decodeResumeToken, encodeResumeToken, type LogPosition} from './resume-token.js';
import {fromStreamRequest, type StreamRequest} from './stream-request.js';
import {toWireEvent, type WireEvent} from './translate-event.js';
import {toRun} from './translate-run.js';

type StreamContext = Pick<ServerContext, 'runs' | 'drain'>;

export function streamHandler({runs, drain}: StreamContext) {
  return {
    async *streamDynamics(request: StreamDynamicsRequest, {signal}: {signal: AbortSignal}) {
      const wanted = fromStreamRequest(request);
      const run = await runs.getRun(wanted.runId);
      const stop = new AbortController();
      try {
        yield* follow({runs, drain}, run, wanted, AbortSignal.any([signal, drain, stop.signal]));
      } catch (error) {
        if (drain.aborted && !signal.aborted) throw draining('Cannot go on streaming');
        throw withEarliestToken(error, runs.tokenKey(), run);
      } finally {
        stop.abort();
      }
    },
  };
}

/** A reader whose place is gone is told where to go on. */
function withEarliestToken(error: unknown, key: Buffer, {uid}: RunRecord): unknown {
  if (!(error instanceof FtftError) || error.details.reason !== 'RESUME_TOKEN_EXPIRED') return error;
  const {earliest_sequence: earliest, ...metadata} = error.details.metadata ?? {};
  const token = encodeResumeToken(key, uid, {sequence: Number(earliest) - 1, numSent: 0});
  return new FtftError(error.code, error.message, {
    ...error.details,
    metadata: {...metadata, earliest_token: token},
  });
}

async function* follow(
  {runs}: StreamContext,
  run: RunRecord,
  {start, choice, isFollowing, heartbeatMs}: StreamRequest,
  signal: AbortSignal,
): AsyncGenerator<StreamDynamicsResponse> {
  const key = runs.tokenKey();
  let position = await firstPosition(
    start,
    token => decodeResumeToken(key, run.uid, token),
    () => runs.lastSequence(run.id),
  );
  const mark = (event: WireEvent) => message(encodeResumeToken(key, run.uid, position), event);
  const events = runs.events(run.id, {start: toEventStart(start, position), signal});

  let sentAt = Date.now();
  let pending: ReturnType<typeof events.next> | undefined;
  try {
    while (true) {
      pending ??= events.next();
      const next = await nextOrSilence(pending, sentAt + heartbeatMs - Date.now(), signal);
      if (next === 'silence') {
        yield mark({$case: 'heartbeat', value: {lastSequence: await runs.lastSequence(run.id)}});
        sentAt = Date.now();
        continue;
      }
      pending = undefined;
      if (next.done) break;
      if (next.value === 'caught-up') {
        yield mark({$case: 'caughtUp', value: {lastSequence: position.sequence}});
        sentAt = Date.now();
        if (isFollowing) continue;
        if (!isOver(await runs.getRun(run.id), await runs.lastSequence(run.id), position)) return;
        continue;
      }
      for (const {event, after} of messagesOf(next.value, choice, position)) {
        position = after;
        if (!event) continue;
        const {sequence, attempt, time} = next.value;
        yield message(encodeResumeToken(key, run.uid, position), event, {sequence, attempt, time});
        sentAt = Date.now();
      }
    }
  } finally {
    // The log's reader may rest at a yield, where no signal reaches it.
    events.return(undefined).catch(() => {});
  }
  signal.throwIfAborted();
  const last = await runs.getRun(run.id);
  if (!isTerminal(last.state)) throw new Error(`The log of run ${run.id} ended, but the run is ${last.state}`);
  yield mark({$case: 'completed', value: {run: toRun(last)}});
}

const isOver = (run: RunRecord, lastSequence: number, position: LogPosition): boolean =>
  isTerminal(run.state) && lastSequence === position.sequence;

/** What is sent for one stored event, and the position after each message; no event: nothing of it was asked for. */
function* messagesOf(
  {sequence, event}: StoredEvent,
  choice: StreamRequest['choice'],
  before: LogPosition,
): Generator<{event: WireEvent | undefined; after: LogPosition}> {
  const whole = {sequence, numSent: 0};
  if (event.kind !== 'chunk') {
    yield {event: toWireEvent(event), after: whole};
    return;
  }
  const numSent = sequence === before.sequence + 1 ? before.numSent : 0;
  for (const {chunk, numSent: sent, isLast} of chunkParts(event, choice, numSent))
    yield {
      event: {$case: 'chunk', value: chunk},
      after: isLast ? whole : {sequence: sequence - 1, numSent: sent},
    };
  yield {event: undefined, after: whole};
}

/** Where a token handed out before the first event would go on. */
async function firstPosition(
  start: StreamRequest['start'],
  decode: (token: string) => LogPosition,
  lastSequence: () => Promise<number>,
): Promise<LogPosition> {
  if ('token' in start) return decode(start.token);
  // Who begins further on and comes back so early is told too much rather than too little.
  const isLatest = 'position' in start && start.position === 'latest';
  return {sequence: isLatest ? await lastSequence() : 0, numSent: 0};
}

function toEventStart(start: StreamRequest['start'], position: LogPosition): EventRange['start'] {
  if ('token' in start) return {sequence: position.sequence + 1};
  // Events between the reading of the position and the subscription must not be lost.
  if ('position' in start && start.position === 'latest') return {sequence: position.sequence + 1};
  return start;
}

function message(
  resumeToken: string,
  event: WireEvent,
  stored: {sequence: number; attempt: number; time: number} = {sequence: 0, attempt: 0, time: Date.now()},
): StreamDynamicsResponse {
  return {
    resumeToken,
    sequence: stored.sequence,
    attempt: stored.attempt,
    eventTime: new Date(stored.time),
    event,
  };
}

/** The promise's value, or 'silence' when it takes longer; rejects at once when the signal aborts. */
async function nextOrSilence<T>(promise: Promise<T>, silenceMs: number, signal: AbortSignal): Promise<T | 'silence'> {
  let timer: NodeJS.Timeout | undefined;
  let abort: (() => void) | undefined;
  const interruption = new Promise<'silence'>((resolve, reject) => {
    abort = () => reject(new DOMException('The stream was stopped', 'AbortError'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    timer = setTimeout(() => resolve('silence'), Math.max(0, silenceMs));
  });
  promise.catch(() => {}); // abandoned when the interruption wins
  try {
    return await Promise.race([promise, interruption]);
  } finally {
    clearTimeout(timer);
    if (abort) signal.removeEventListener('abort', abort);
  }
}
