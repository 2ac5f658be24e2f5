// What runs/ asks of a storage engine: three small interfaces whose calls join in one transaction. One conformance suite runs on
// every implementation.

import type {PlainError} from '../errors.js';
import type {Rates} from '../pipeline/predict-cost.js';
import type {Evaluation} from '../pipeline/types.js';
import type {LogEvent, RunKind, RunRecord, RunState, StoredEvent} from './types.js';

/** What only workers need to know of a run; lies beside its record. */
export interface WorkState {
  /** Folder that the model was found in when the run was accepted. */
  modelFolder: string;
  /** Name of the columns file of a main run's data map. */
  dataMapFile?: string;
  /** When the run became PENDING last. */
  pendingSince: number;
  /** Accelerator time that came before the last committed epoch: what came later is lost with the worker. */
  keptAcceleratorMs: number;
  /** Evaluations made by the time of the last checkpoint. */
  keptEvaluations: Evaluation[];
  checkpoint?: KeptCheckpoint;
  /** Weights of the best evaluation so far, under early stopping; and what that was at the last checkpoint. */
  best?: KeptCheckpoint;
  keptBest?: KeptCheckpoint;
  /** Updates that the learning-rate schedule spans; the step budget when undefined. */
  scheduleSteps?: number;
  /** How long the parts of this run took, for estimates of others; of one that succeeded at its first attempt. */
  rates?: Rates;
  /** Why a run is CANCELLING. */
  stopReason?: PlainError;
  /** When a run that is SUSPENDED became so. */
  suspendedSince?: number;
  /** Time that it spent so after its first start: no part of its execution. */
  suspendedMs?: number;
}

export interface KeptCheckpoint {
  /** Name in the run's folder. */
  file: string;
  sha256: string;
  /** Optimizer updates that it holds. */
  steps: number;
}

export interface StoredRun {
  run: RunRecord;
  work: WorkState;
  /** Attempts whose lease ran out; a graceful release does not count. */
  lostLeases: number;
}

/** The right to write to a run: void as soon as another attempt exists or the run's state is one that nobody holds. */
export interface Lease {
  runId: string;
  attempt: number;
}

export interface RunStore {
  /**
   * ALREADY_EXISTS/RUN_EXISTS when the id is taken. Gives back the record with its create time, which is unique, grows, and is the
   * beginning of its time in the queue.
   */
  insert(stored: StoredRun, request?: {id: string; digest: string}): Promise<RunRecord>;
  get(id: string): Promise<StoredRun | undefined>;
  /** Of those that ended so many milliseconds ago, by the database's time, and still have this; the first that ended first. */
  endedFor(milliseconds: number, what: 'run' | 'log' | 'model', limit: number): Promise<RunRecord[]>;
  /** With its log. */
  remove(id: string): Promise<void>;
  /** Inside a transaction: nobody else changes the run until its end. */
  hold(id: string): Promise<void>;
  findByRequest(requestId: string): Promise<{runId: string; digest: string} | undefined>;
  /** Newest first, made before the given time. */
  list(limit: number, before?: number): Promise<RunRecord[]>;
  countByKindAndState(): Promise<{kind: RunKind; state: RunState; count: number}[]>;
  /** Runs that are not terminal; caller: those that it started. */
  countUnfinished(caller?: string): Promise<number>;
}

export interface LeaseQueue {
  /** Takes the next PENDING run, by priority and age, into RUNNING with a new attempt; undefined when there is none. */
  claim(owner: string, leaseMs: number): Promise<StoredRun | undefined>;
  /** The run's state; undefined when the lease is void. */
  renew(lease: Lease, leaseMs: number): Promise<RunState | undefined>;
  /** Runs that are held, and whose lease ran out, or whose owner is known to be dead. */
  findLost(isDead: (owner: string) => boolean): Promise<StoredRun[]>;
  /** Milliseconds until the first of all leases ends unless it is renewed; undefined when there is none. */
  nextEndMs(): Promise<number | undefined>;
  heldBy(owner: string): Promise<Lease[]>;
}

/** What an append makes of a run: its next version, and the events that say so. */
export interface Change {
  stored: StoredRun;
  events: LogEvent[];
}

/** now: the database's time. */
export type MakeChange = (stored: StoredRun, now: number) => Change;

/** To be read at once: at most about 2 MiB of columns. */
export const eventsPerPage = 8;

export interface EventLog {
  /**
   * Changes a run and appends events to its log, both or neither. With a lease the write is fenced: undefined, and nothing
   * changed, when the lease is void. A state in which nobody holds the run gives the lease back.
   *
   * A commit whose answer is lost may have been made. With a lease and a key, the append that follows one of the same key
   * changes nothing and gives back that one's events.
   */
  append(target: Lease | {runId: string}, change: MakeChange, key?: string): Promise<StoredEvent[] | undefined>;
  /** In order of sequence, from `sequence` on. */
  read(runId: string, sequence: number, limit: number): Promise<StoredEvent[]>;
  /** All of these kinds, in order. */
  readKinds(runId: string, kinds: LogEvent['kind'][]): Promise<StoredEvent[]>;
  /** Of a run that has ended. */
  removeAllButLast(runId: string): Promise<void>;
  /** 0 when the log is empty. */
  lastSequence(runId: string): Promise<number>;
  /** Sequences of the events that bound epochs, in order. */
  epochMarks(runId: string): Promise<EpochMark[]>;
}

export interface EpochMark {
  sequence: number;
  kind: 'epoch-started' | 'epoch-committed' | 'epochs-discarded';
  /** First epoch of those discarded. */
  epoch: number;
}

export interface Store {
  runs: RunStore;
  leases: LeaseQueue;
  log: EventLog;
  /** All or nothing; calls inside it join. Nothing but calls of the store may be awaited in it. */
  transaction<T>(body: () => Promise<T>): Promise<T>;
  /** Inside a transaction: no run is added by another one until its end. */
  lock(what: 'runs'): Promise<void>;
}
