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
  /** file: its name in the run's folder. */
  checkpoint?: {file: string; sha256: string; steps: number};
  /** Weights of the best evaluation so far, under early stopping; and what that was at the last checkpoint. */
  best?: {file: string; sha256: string; steps: number};
  keptBest?: {file: string; sha256: string; steps: number};
  /** Updates that the learning-rate schedule spans; the step budget when undefined. */
  scheduleSteps?: number;
  /** How long the parts of this run took, for estimates of others; of one that succeeded at its first attempt. */
  rates?: Rates;
  /** Why a run is CANCELLING. */
  stopReason?: PlainError;
}

export interface StoredRun {
  run: RunRecord;
  work: WorkState;
  /** Attempts whose lease ran out; a graceful release does not count. */
  lostLeases: number;
}

/** The right to write to a run: void as soon as another attempt exists or the run is neither RUNNING nor CANCELLING. */
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
  findByRequest(requestId: string): Promise<{runId: string; digest: string} | undefined>;
  /** Newest first, made before the given time. */
  list(limit: number, before?: number): Promise<RunRecord[]>;
  countByKindAndState(): Promise<{kind: RunKind; state: RunState; count: number}[]>;
  /** Runs that are not terminal. */
  countUnfinished(): Promise<number>;
}

export interface LeaseQueue {
  /** Takes the next PENDING run, by priority and age, into RUNNING with a new attempt; undefined when there is none. */
  claim(owner: string, leaseMs: number): Promise<StoredRun | undefined>;
  /** The run's state; undefined when the lease is void. */
  renew(lease: Lease, leaseMs: number): Promise<RunState | undefined>;
  /** RUNNING and CANCELLING runs whose lease ran out, or whose owner is known to be dead. */
  findLost(isDead: (owner: string) => boolean): Promise<StoredRun[]>;
}

/** What an append makes of a run: its next version, and the events that say so. */
export interface Change {
  stored: StoredRun;
  events: LogEvent[];
}

/** now: the database's time. */
export type MakeChange = (stored: StoredRun, now: number) => Change;

export interface EventLog {
  /**
   * Changes a run and appends events to its log, both or neither. With a lease the write is fenced: undefined, and nothing
   * changed, when the lease is void. A state that leaves RUNNING and CANCELLING gives the lease back.
   */
  append(target: Lease | {runId: string}, change: MakeChange): Promise<StoredEvent[] | undefined>;
  /** In order of sequence, from `sequence` on. */
  read(runId: string, sequence: number, limit: number): Promise<StoredEvent[]>;
  /** All of these kinds, in order. */
  readKinds(runId: string, kinds: LogEvent['kind'][]): Promise<StoredEvent[]>;
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
