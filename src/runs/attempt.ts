// One attempt at a run: its lease and its child process. Ends with the run ended, handed back, lost, or fenced off by a later attempt.
import {rename, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {pathToFileURL} from 'node:url';
import {FtftError} from '../errors.js';
import {AttemptWriter, type WriterContext} from './attempt-writer.js';
import {removeCheckpoints, removeLeftovers} from './checkpoints.js';
import type {DiskReserve} from './disk-reserve.js';
import {cancelling, ended, lost, released} from './run-changes.js';
import {executionTimeout, unexpected} from './run-errors.js';
import type {Lease, MakeChange, StoredRun} from './store.js';
import {TrainerChild} from './trainer-child.js';
import type {FromTrainer, TrainerJob} from './trainer-protocol.js';

const settleRetryMs = 1000;
/** Timers that are to wait longer fire at once. */
const longestTimerMs = 2 ** 31 - 1;

export interface AttemptContext extends WriterContext {
  leaseMs: number;
  trainerEntry: string;
  reserve: DiskReserve;
}

type Trained = Extract<FromTrainer, {kind: 'done'}>;

export class Attempt {
  private readonly writer: AttemptWriter;
  private child: TrainerChild | undefined;
  /** How the attempt is to end, once that is known: the first word counts. */
  private ending: MakeChange | undefined;
  private trained: Trained | undefined;
  private timeout: NodeJS.Timeout | undefined;
  /** Settles when what the child has said so far is handled. */
  private heard: Promise<unknown> = Promise.resolve();
  private isBeating = false;
  private isSettling = false;
  private isFenced = false;
  private isDraining = false;
  private isStopping = false;

  constructor(
    private readonly stored: StoredRun,
    private readonly context: AttemptContext,
  ) {
    this.writer = new AttemptWriter(stored, context);
  }

  get lease(): Lease {
    return this.writer.lease;
  }

  get childPid(): number | undefined {
    return this.child?.pid;
  }

  /** Resolves when the child is gone and the run's state says why. Does not throw. */
  async run(prepare: () => Promise<TrainerJob>): Promise<void> {
    const heartbeat = setInterval(() => this.heartbeat(), this.context.leaseMs / 3);
    this.startTimeout();
    try {
      const job = await prepare();
      await this.train(job);
      if (this.trained) await this.keepModel(job.folder, this.trained);
      await this.settle();
      if (!this.isFenced && (await this.stateNow()) !== 'PENDING') await removeLeftovers(job.folder);
    } catch (error) {
      this.fail(error);
      await this.settle();
    } finally {
      clearInterval(heartbeat);
      clearTimeout(this.timeout);
    }
  }

  /** Cancellation was asked for: the child stops at the next batch boundary. */
  stop(): void {
    this.isStopping = true;
    this.child?.stop();
  }

  /** Hands the run back to the queue, from its last committed epoch on. */
  drain(graceMs: number): void {
    this.isDraining = true;
    this.stop();
    setTimeout(() => this.child?.kill(), graceMs).unref();
  }

  private async stateNow() {
    return (await this.context.store.runs.get(this.lease.runId))?.run.state;
  }

  private async train(job: TrainerJob): Promise<void> {
    if (this.isFenced || this.isStopping) return;
    const first = {kind: 'start', job} as const;
    this.child = new TrainerChild(this.context.trainerEntry, first, message => this.hear(message, job.folder));
    const how = await this.child.ended;
    await this.heard;
    if (!this.ending && !this.trained && !this.isFenced)
      this.context.logger.warn({...this.lease, how}, 'The trainer process is gone');
    if (!this.isFenced) await this.removeUncommitted(job.folder);
  }

  /** Makes room, which the end of the run may need to be written. */
  private async removeUncommitted(folder: string): Promise<void> {
    await removeCheckpoints(folder, await this.keptFiles());
  }

  /** In the run's folder, as the store names them. */
  private async keptFiles(): Promise<(string | undefined)[]> {
    const {checkpoint, best, keptBest} = (await this.context.store.runs.get(this.lease.runId))?.work ?? {};
    return [checkpoint?.file, best?.file, keptBest?.file];
  }

  /** Messages are handled one after the other, as they came. Steps alone do not wait: many may come while the store is slow. */
  private hear(message: FromTrainer, folder: string): void {
    if (this.isFenced || this.ending) return;
    if (message.kind === 'event' && message.event.kind === 'step' && !this.writer.step(message.event, message.spent))
      return;
    this.heard = this.heard
      .then(async () => {
        if (!this.isFenced && !this.ending) await this.handle(message, folder);
      })
      .catch(error => this.fail(error));
  }

  private async handle(message: FromTrainer, folder: string): Promise<void> {
    switch (message.kind) {
      case 'event': {
        const before = message.best && (await this.keptFiles());
        if (!(await this.writer.event(message))) this.fence();
        else if (before) await this.removeSuperseded(folder, before);
        return;
      }
      case 'epoch':
        if (await this.writer.epoch(message)) this.goOn(folder);
        else this.fence();
        return;
      case 'done':
        this.trained = message;
        return;
      case 'measured':
        throw new Error('A trainer answered what it was not asked');
      case 'stopped':
        this.ending = released;
        return;
      case 'failed':
        this.ending = (stored, now) => ended(stored, 'FAILED', now, message.error);
        return;
      case 'broken':
        this.context.logger.error({...this.lease, stack: message.stack}, 'The trainer met a bug');
        this.ending = (stored, now) => ended(stored, 'FAILED', now, unexpected);
        return;
    }
  }

  /** The child waits meanwhile: it must not begin the next checkpoint while old ones are removed. */
  private goOn(folder: string): void {
    this.keptFiles()
      .then(kept => removeCheckpoints(folder, kept))
      .catch(error => this.context.logger.warn({...this.lease, error: String(error)}, 'Old checkpoints stay'))
      .finally(() => this.child?.committed());
  }

  /** By name: the child goes on meanwhile, and may be writing others. */
  private async removeSuperseded(folder: string, before: (string | undefined)[]): Promise<void> {
    const kept = await this.keptFiles();
    for (const file of before)
      if (file !== undefined && !kept.includes(file))
        rm(join(folder, file), {force: true}).catch(error =>
          this.context.logger.warn({...this.lease, error: String(error)}, 'An old checkpoint stays'),
        );
  }

  private async heartbeat(): Promise<void> {
    const {store, leaseMs, logger} = this.context;
    if (this.isBeating) return;
    this.isBeating = true;
    try {
      const state = await store.leases.renew(this.lease, leaseMs);
      // The end of the run ends the lease too: then the one who writes it hears of either.
      if (state === undefined && !this.isSettling) this.fence();
      if (state === 'CANCELLING') this.stop();
    } catch (error) {
      logger.error({...this.lease, error: String(error)}, 'The lease could not be renewed');
    } finally {
      this.isBeating = false;
    }
  }

  /** A later attempt exists, or the run has ended: nothing that this one does may count. */
  private fence(): void {
    if (this.isFenced) return;
    this.isFenced = true;
    this.context.logger.warn({...this.lease}, 'The lease is void: the trainer is stopped');
    this.child?.kill();
  }

  private fail(error: unknown): void {
    const {logger} = this.context;
    const isOurs = error instanceof FtftError;
    logger.error({...this.lease, error: isOurs ? error.message : (error as Error).stack}, 'The runner cannot go on');
    const plain = isOurs ? error.toPlain() : unexpected;
    // A store that cannot be used for now costs the attempt, not the run.
    this.ending = plain.reason === 'STORE_UNAVAILABLE' ? lost : (stored, now) => ended(stored, 'FAILED', now, plain);
    this.child?.kill();
  }

  /** By the database's times, and then by a timer, which no wrong clock of this machine can mislead. */
  private startTimeout(): void {
    const {spec, startTime, updateTime} = this.stored.run;
    const {executionTimeoutMs} = spec;
    if (executionTimeoutMs === undefined) return;
    const wait = (leftMs: number) => {
      const nextMs = Math.min(leftMs, longestTimerMs);
      const look = () => void (leftMs > nextMs ? wait(leftMs - nextMs) : this.timeOut(executionTimeoutMs));
      this.timeout = setTimeout(look, nextMs);
    };
    wait(Math.max(0, executionTimeoutMs - (updateTime - (startTime ?? updateTime))));
  }

  private async timeOut(executionTimeoutMs: number): Promise<void> {
    try {
      if ((await this.stateNow()) !== 'RUNNING' || this.ending || this.trained) return;
      await this.writer.append((stored, now) => cancelling(stored, executionTimeout(executionTimeoutMs), now));
      this.stop();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Takes the place of what an earlier attempt may have left there. */
  private async keepModel(folder: string, {modelFolder, keptSteps, spent, rates}: Trained): Promise<void> {
    const {store, leaseMs} = this.context;
    if ((await store.leases.renew(this.lease, leaseMs)) === undefined) return this.fence();
    const kept = join(folder, 'model');
    await rm(kept, {recursive: true, force: true});
    await rename(modelFolder, kept);
    this.writer.spend(spent);
    this.ending = (stored, now) => {
      const {progress} = stored.run;
      const run = {
        ...stored.run,
        progress: {...progress, keptSteps, stoppedEarly: progress.steps < progress.totalSteps},
        modelUri: pathToFileURL(kept).href,
      };
      return ended({...stored, run, work: {...stored.work, rates}}, 'SUCCEEDED', now);
    };
  }

  /** Writes the end, into the reserve where the disk is full; again and again, until the lease is void. */
  private async settle(): Promise<void> {
    const {logger, reserve} = this.context;
    const ending = this.ending ?? (this.isStopping ? released : lost);
    this.isSettling = true;
    for (let numTries = 1; !this.isFenced; numTries++) {
      try {
        if (!(await this.writer.append(ending))) this.fence();
        return;
      } catch (error) {
        logger.error({...this.lease, error: String(error)}, 'The end of the run could not be written');
        await reserve
          .release()
          .catch(error => logger.error({...this.lease, error: String(error)}, 'No room was given back'));
        if (numTries > 1 && this.isDraining) return;
        if (numTries > 1) await wait(settleRetryMs);
      }
    }
  }
}
