// What a round left → how often each promise of the service was looked at, and where it was broken. Pure.
import {createHash} from 'node:crypto';
import type {StreamDynamicsResponse} from '../../src/server/gen/ftft/v1/dynamics.js';
import type {EventRow, RunRow} from './evidence.js';

export const invariants = [
  'every accepted request_id has exactly one run',
  'no gap or duplicate in any event log',
  'no two live writers',
  'no RUNNING without a lease',
  'a reader that reconnected saw exactly the log',
  'an interrupted run has the weights of an uninterrupted one',
  'no process ends or fails by itself, and every run ends',
] as const;
export type Invariant = (typeof invariants)[number];

export class Findings {
  readonly checked = new Map<Invariant, number>(invariants.map(name => [name, 0]));
  readonly broken: string[] = [];

  check(invariant: Invariant, holds: boolean, what: () => string): void {
    this.checked.set(invariant, this.checked.get(invariant)! + 1);
    const fault = holds ? '' : `${invariant}: ${what()}`;
    if (!holds && !this.broken.includes(fault)) this.broken.push(fault);
  }
}

/** answers: names that the copies of each accepted request were answered with. */
export function checkRequests(findings: Findings, answers: Map<string, string[]>, rows: RunRow[]): void {
  for (const [requestId, names] of answers) {
    const found = rows.filter(row => row.requestId === requestId).map(({id}) => `runs/${id}`);
    findings.check(
      'every accepted request_id has exactly one run',
      found.length === 1 && names.every(name => name === found[0]),
      () => `${requestId} was answered with ${names}, the database has ${found.join(', ') || 'none'}`,
    );
  }
  const unknown = rows.filter(({requestId}) => !(requestId && answers.has(requestId)));
  findings.check(
    'every accepted request_id has exactly one run',
    unknown.length === 0,
    () => `nobody asked for ${unknown.map(({id}) => id)}`,
  );
}

/** The log of a run that has ended, by its numbers and by what it says. */
export function checkLog(findings: Findings, run: RunRow, events: EventRow[]): void {
  const fault = sequenceFault(run, events) ?? epochFault(events);
  findings.check('no gap or duplicate in any event log', fault === undefined, () => `run ${run.id}: ${fault}`);
}

function sequenceFault({nextSequence}: RunRow, events: EventRow[]): string | undefined {
  const wrong = events.findIndex(({sequence}, i) => sequence !== i + 1);
  if (wrong >= 0) return `event ${wrong + 1} has sequence ${events[wrong].sequence}`;
  if (nextSequence !== events.length + 1) return `${events.length} events, the next is to be ${nextSequence}`;
  const last = events.at(-1)?.event;
  if (last?.kind !== 'run-changed' || !isTerminal(last.run.state)) return `it ends with ${last?.kind}`;
  return undefined;
}

/** Epochs begin and are committed in order, each once among those that stand, with all their chunks and their digest. */
function epochFault(events: EventRow[]): string | undefined {
  let numCommitted = 0;
  let started: number | undefined;
  let chunks: Float32Array[] = [];
  for (const {sequence, event} of events) {
    const at = `event ${sequence}, ${event.kind}`;
    if (event.kind === 'epochs-discarded') {
      if (event.firstEpoch > numCommitted) return `${at}: from ${event.firstEpoch}, ${numCommitted} are committed`;
      numCommitted = event.firstEpoch;
      started = undefined;
    } else if (event.kind === 'epoch-started') {
      if (started !== undefined || event.epoch !== numCommitted) return `${at} ${event.epoch} after ${numCommitted}`;
      started = event.epoch;
      chunks = [];
    } else if (event.kind === 'chunk') {
      if (event.epoch !== started || event.chunkIndex !== chunks.length)
        return `${at} ${event.chunkIndex} out of place`;
      chunks.push(event.pTrue);
    } else if (event.kind === 'epoch-committed') {
      if (event.epoch !== started || event.chunkCount !== chunks.length) return `${at} ${event.epoch} out of place`;
      const digest = createHash('sha256');
      for (const {buffer, byteOffset, byteLength} of chunks)
        digest.update(new Uint8Array(buffer, byteOffset, byteLength));
      if (digest.digest('hex') !== event.digest) return `${at}: not the digest of its chunks`;
      numCommitted++;
      started = undefined;
    }
  }
  return undefined;
}

const trainersOwn = new Set(['epoch-started', 'chunk', 'epoch-committed', 'evaluations-made']);

/** Attempts follow each other; what an attempt trains, the process that claimed it writes. claims: empty where nobody knows. */
export function checkWriters(findings: Findings, run: RunRow, events: EventRow[], claims: Map<number, string>): void {
  let fault: string | undefined;
  let attempt = 0;
  for (const {sequence, event, attempt: own, writer} of events) {
    if (own < attempt) fault ??= `event ${sequence} is of attempt ${own}, after one of ${attempt}`;
    const isClaim = event.kind === 'run-changed' && event.run.state === 'RUNNING' && own > attempt;
    if (own > attempt && !isClaim) fault ??= `attempt ${own} begins with ${event.kind} at event ${sequence}`;
    attempt = own;
    const claimant = claims.get(own);
    if (trainersOwn.has(event.kind) && claimant !== undefined && writer !== claimant)
      fault ??= `event ${sequence}, ${event.kind}, of attempt ${own} is by ${writer}, ${claimant} holds the lease`;
  }
  findings.check('no two live writers', fault === undefined, () => `run ${run.id}: ${fault}`);
}

/** What a reader pieced together against one that was never interrupted, and against the database. */
export function checkReader(
  findings: Findings,
  run: string,
  messages: StreamDynamicsResponse[],
  whole: StreamDynamicsResponse[],
  events: EventRow[],
): void {
  const tell = ({sequence, attempt, event}: StreamDynamicsResponse) => JSON.stringify([sequence, attempt, event]);
  const [seen, expected] = [messages.map(tell), whole.map(tell)];
  const wrong = seen.findIndex((message, i) => message !== expected[i]);
  const sequences = new Set(whole.map(({sequence}) => sequence));
  const isWhole = sequences.size === events.length && events.every(({sequence}) => sequences.has(sequence));
  findings.check(
    'a reader that reconnected saw exactly the log',
    wrong < 0 && seen.length === expected.length && isWhole,
    () =>
      `${run}: ${seen.length} messages of ${expected.length}, ${events.length} events; the first that differs is ` +
      `${seen[wrong]?.slice(0, 200)} in place of ${expected[wrong]?.slice(0, 200)}`,
  );
}

export const isTerminal = (state: string): boolean => ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(state);

/** Two looks at one run: nothing goes back, and who runs holds a lease. */
export function checkStep(findings: Findings, before: RunRow | undefined, after: RunRow): void {
  const isHeld = ['RUNNING', 'CANCELLING', 'SUSPENDING'].includes(after.state);
  findings.check(
    'no RUNNING without a lease',
    isHeld === (after.leaseOwner !== undefined && after.leaseMs !== undefined),
    () => `run ${after.id} is ${after.state}, its lease is ${after.leaseOwner ?? 'nobody’s'}`,
  );
  if (!before) return;
  findings.check(
    'no gap or duplicate in any event log',
    after.nextSequence >= before.nextSequence && after.attempt >= before.attempt,
    () => `run ${after.id} went back from ${JSON.stringify(before)} to ${JSON.stringify(after)}`,
  );
  findings.check(
    'every accepted request_id has exactly one run',
    !isTerminal(before.state) || before.state === after.state,
    () => `run ${after.id} was ${before.state} and is ${after.state}`,
  );
}
