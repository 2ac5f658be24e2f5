// One attempt at a run: its lease, its child process and every event of it, appended under the lease. Ends with the run ended,
// handed back, lost, or fenced off by a later attempt.
import {rename, rm} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {pathToFileURL} from 'node:url';
import {FtftError, type PlainError} from '../errors.js';
import {removeCheckpoints, removeLeftovers} from './checkpoints.js';
import {digestOf, toChunks} from './committed-epochs.js';
import {LiveProgress} from './live-progress.js';
import type {Logger} from './logger.js';
import {cancelling, ended, epochCommitted, evaluated, lost, progressed, released} from './run-changes.js';
import type {Change, Lease, Store, StoredRun} from './store.js';
import {TrainerChild} from './trainer-child.js';
import type {FromTrainer, TrainerJob} from './trainer-protocol.js';
import type {LogEvent, RunRecord, StoredEvent} from './types.js';

const progressIntervalMs = 500;
const settleRetryMs = 1000;

/** Live telemetry of one optimizer update. */
export interface StepTelemetry {
  run: RunRecord;
  steps: number;
  loss: number;
  seconds: number;
  instances: number;
  tokens: number;
}

export interface AttemptContext {
  store: Store;
  leaseMs: number;
  trainerEntry: string;
  logger: Logger;
  onAppended: (run: RunRecord, events: StoredEvent[]) => void;
  onStep: (step: StepTelemetry) => void;
}

export class Attempt {
  readonly lease: Lease;
  private child: TrainerChild | undefined;
  private readonly live: LiveProgress;
  private writtenAt = 0;
  /** How the attempt is to end, once that is known: the first word counts. */
  private ending: ((stored: StoredRun, now: number) => Change) | undefined;
  private modelFolder: string | undefined;
  private isFenced = false;
  private isDraining = false;

  constructor(
    private readonly stored: StoredRun,
    private readonly context: AttemptContext,
  ) {
    this.lease = {runId: stored.run.id, attempt: stored.run.attempt};
    this.live = new LiveProgress(stored.run, Date.now());
  }

  get childPid(): number | undefined {
    return this.child?.pid;
  }

  /** Resolves when the child is gone and the run's state says why. Does not throw. */
  async run(prepare: () => Promise<TrainerJob>): Promise<void> {
    const {leaseMs, trainerEntry, logger} = this.context;
    const heartbeat = setInterval(() => this.heartbeat(), leaseMs / 3);
    const timeout = this.startTimeout();
    try {
      const job = await prepare();
      if (!this.isFenced && !this.isDraining) {
        this.child = new TrainerChild(trainerEntry, job, message => this.hear(message, job.folder));
        if (this.stateNow() === 'CANCELLING') this.child.stop();
        const how = await this.child.ended;
        if (!this.ending && !this.isFenced) logger.warn({...this.lease, how}, 'The trainer process is gone');
      }
      if (this.modelFolder) await this.keepModel(job.folder, this.modelFolder);
      await this.settle();
      if (!this.isFenced && this.stateNow() !== 'PENDING') await removeLeftovers(job.folder);
    } catch (error) {
      this.ending = failedBy(error, logger, this.lease);
      this.child?.kill();
      await this.settle();
    } finally {
      clearInterval(heartbeat);
      clearTimeout(timeout);
    }
  }

  /** Cancellation was asked for: the child stops at the next batch boundary. */
  stop(): void {
    this.child?.stop();
  }

  /** Hands the run back to the queue, from its last committed epoch on. */
  drain(graceMs: number): void {
    this.isDraining = true;
    this.child?.stop();
    setTimeout(() => this.child?.kill(), graceMs).unref();
  }

  private stateNow() {
    return this.context.store.runs.get(this.lease.runId)?.run.state;
  }

  private hear(message: FromTrainer, folder: string): void {
    if (this.isFenced || this.ending) return;
    try {
      this.handle(message, folder);
    } catch (error) {
      this.ending = failedBy(error, this.context.logger, this.lease);
      this.child?.kill();
    }
  }

  private handle(message: FromTrainer, folder: string): void {
    const {logger} = this.context;
    switch (message.kind) {
      case 'event':
        return this.handleEvent(message);
      case 'epoch': {
        this.commitEpoch(message);
        if (this.isFenced) return;
        // The child waits meanwhile: it must not begin the next checkpoint while old ones are removed.
        removeCheckpoints(folder, message.checkpoint.file)
          .catch(error => logger.warn({...this.lease, error: String(error)}, 'Old checkpoints stay'))
          .finally(() => this.child?.committed());
        return;
      }
      case 'done':
        this.modelFolder = message.modelFolder;
        return;
      case 'stopped':
        this.ending = released;
        return;
      case 'failed':
        this.ending = (stored, now) => ended(stored, 'FAILED', now, message.error);
        return;
      case 'broken':
        logger.error({...this.lease, stack: message.stack}, 'The trainer met a bug');
        this.ending = (stored, now) => ended(stored, 'FAILED', now, unexpected);
        return;
    }
  }

  private handleEvent({event, flops}: Extract<FromTrainer, {kind: 'event'}>): void {
    switch (event.kind) {
      case 'epoch-started':
        return this.append(stored => ({stored, events: [{kind: 'epoch-started', epoch: event.epoch}]}));
      case 'step': {
        this.live.step(event, flops);
        const {steps, loss, seconds, instances, tokens} = event;
        this.context.onStep({run: this.stored.run, steps, loss, seconds, instances, tokens});
        if (Date.now() - this.writtenAt >= progressIntervalMs) this.append(stored => ({stored, events: []}));
        return;
      }
      case 'evaluations':
        this.live.evaluation(event.seconds, flops);
        return this.append(before => {
          const stored = evaluated(before, event.evaluations, event.steps);
          return {stored, events: [{kind: 'evaluations-made', evaluations: event.evaluations, cost: stored.run.cost}]};
        });
      case 'partial-epoch-dropped': {
        const {epoch, visited, numInstances} = event;
        this.context.logger.info({...this.lease, epoch, visited, numInstances}, 'The last epoch is not whole: dropped');
        return;
      }
    }
  }

  private commitEpoch({event, checkpoint}: Extract<FromTrainer, {kind: 'epoch'}>): void {
    const {epoch, steps, trainLoss, dynamics} = event;
    const chunks = toChunks(epoch, dynamics);
    const instanceCount = dynamics.pTrue.length;
    this.append(before => {
      const stored = epochCommitted(before, epoch, {...checkpoint, file: basename(checkpoint.file), steps});
      const {cost} = stored.run;
      const committed: LogEvent = {
        kind: 'epoch-committed',
        ...{epoch, chunkCount: chunks.length, instanceCount, digest: digestOf(dynamics), trainLoss, steps, cost},
      };
      return {stored, events: [...chunks, committed]};
    });
  }

  /** Fenced; progress and cost go along. */
  private append(change: (stored: StoredRun) => Change): void {
    const {store, onAppended} = this.context;
    const now = Date.now();
    const events = store.log.append(this.lease, before => change(progressed(before, this.live.at(now), now)));
    if (!events) return this.fence();
    this.writtenAt = now;
    onAppended(store.runs.get(this.lease.runId)!.run, events);
  }

  private heartbeat(): void {
    const {store, leaseMs, logger} = this.context;
    try {
      const state = store.leases.renew(this.lease, leaseMs);
      if (state === undefined) this.fence();
      if (state === 'CANCELLING') this.stop();
    } catch (error) {
      logger.error({...this.lease, error: String(error)}, 'The lease could not be renewed');
    }
  }

  /** A later attempt exists, or the run has ended: nothing that this one does may count. */
  private fence(): void {
    if (this.isFenced) return;
    this.isFenced = true;
    this.context.logger.warn({...this.lease}, 'The lease is void: the trainer is stopped');
    this.child?.kill();
  }

  private startTimeout(): NodeJS.Timeout | undefined {
    const {spec, startTime = Date.now()} = this.stored.run;
    if (spec.executionTimeoutMs === undefined) return undefined;
    const leftMs = Math.max(0, startTime + spec.executionTimeoutMs - Date.now());
    const timeOut = () => {
      if (this.stateNow() !== 'RUNNING' || this.ending || this.modelFolder) return;
      this.append(stored => cancelling(stored, executionTimeout(spec.executionTimeoutMs!), Date.now()));
      this.stop();
    };
    return setTimeout(timeOut, Math.min(leftMs, 2 ** 31 - 1));
  }

  /** Takes the place of what an earlier attempt may have left there. */
  private async keepModel(folder: string, modelFolder: string): Promise<void> {
    const {store, leaseMs} = this.context;
    if (store.leases.renew(this.lease, leaseMs) === undefined) return this.fence();
    const kept = join(folder, 'model');
    await rm(kept, {recursive: true, force: true});
    await rename(modelFolder, kept);
    this.ending = (stored, now) => {
      const {steps} = stored.run.progress;
      const progress = {...stored.run.progress, keptSteps: steps};
      const run = {...stored.run, progress, modelUri: pathToFileURL(kept).href};
      return ended({...stored, run}, 'SUCCEEDED', now);
    };
  }

  /** Writes the end, again and again where the disk is full; gives up when the lease is void. */
  private async settle(): Promise<void> {
    const ending = this.ending ?? (this.isDraining ? released : lost);
    while (!this.isFenced) {
      try {
        return this.append(stored => ending(stored, Date.now()));
      } catch (error) {
        this.context.logger.error({...this.lease, error: String(error)}, 'The end of the run could not be written');
        if (this.isDraining) return;
        await wait(settleRetryMs);
      }
    }
  }
}

const unexpected: PlainError = {
  code: 'INTERNAL',
  message: 'Cannot go on with the run: the trainer met a bug, which the log of the server describes',
  reason: 'UNEXPECTED',
};

function executionTimeout(timeoutMs: number): PlainError {
  return {
    code: 'DEADLINE_EXCEEDED',
    message: `Cannot go on with the run: all attempts together must end within execution_timeout, ${timeoutMs / 1000} s`,
    reason: 'EXECUTION_TIMEOUT',
  };
}

/** A store that cannot be used for now costs the attempt, not the run. */
function failedBy(error: unknown, logger: Logger, lease: Lease): (stored: StoredRun, now: number) => Change {
  if (error instanceof FtftError && error.details.reason === 'STORE_UNAVAILABLE') return lost;
  if (error instanceof FtftError) return (stored, now) => ended(stored, 'FAILED', now, error.toPlain());
  logger.error({...lease, stack: error instanceof Error ? error.stack : String(error)}, 'The runner met a bug');
  return (stored, now) => ended(stored, 'FAILED', now, unexpected);
}
