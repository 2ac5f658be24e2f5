// One attempt at a run: its lease and its child process. Ends with the run ended, handed back, lost, or fenced off by a later attempt.
import {setTimeout as wait} from 'node:timers/promises';
import {FtftError} from '../errors.js';
import type {RunFiles} from './artifacts.js';
import {AttemptFiles} from './attempt-files.js';
import {AttemptWriter, type WriterContext} from './attempt-writer.js';
import type {DiskReserve} from './disk-reserve.js';
import {LongTimer} from './long-timer.js';
import {preparedUnlessStopped} from './prepare-attempt.js';
import {persistently} from './retry-store.js';
import {cancelling, ended, lost, released} from './run-changes.js';
import {executionTimeout, unexpected} from './run-errors.js';
import {isTerminal} from './run-state.js';
import type {Lease, MakeChange, StoredRun} from './store.js';
import {TrainerChild} from './trainer-child.js';
import type {FromTrainer, TrainerJob} from './trainer-protocol.js';

const settleRetryMs = 1000;
/** How long a run that is to end waits for a store that is away. */
const lastPatienceMs = 10_000;

export interface AttemptContext extends WriterContext {
  leaseMs: number;
  trainerEntry: string;
  /** Environment of the trainer, which says what it may see of the machine; this process's own when undefined. */
  trainerEnv?: NodeJS.ProcessEnv;
  reserve: DiskReserve;
  files: RunFiles;
}

type Trained = Extract<FromTrainer, {kind: 'done'}>;

export class Attempt {
  private readonly writer: AttemptWriter;
  private readonly files: AttemptFiles;
  private child: TrainerChild | undefined;
  /** How the attempt is to end, once that is known: the first word counts. */
  private ending: MakeChange | undefined;
  private trained: Trained | undefined;
  private readonly timeout = new LongTimer();
  /** Settles when what the child has said so far is handled. */
  private heard: Promise<unknown> = Promise.resolve();
  /** Aborted when the store is to be waited for no longer. */
  private readonly patience = new AbortController();
  private isBeating = false;
  private isBeatWanted = false;
  private isSettling = false;
  private isFenced = false;
  private isDraining = false;
  /** Aborted when the attempt is to go no further: what is being prepared is not waited for. */
  private readonly stopping = new AbortController();

  constructor(
    private readonly stored: StoredRun,
    private readonly context: AttemptContext,
  ) {
    this.writer = new AttemptWriter(stored, context, this.patience.signal);
    this.files = new AttemptFiles(stored, context, body => this.ask(body));
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
      const job = await preparedUnlessStopped(prepare, this.stopping.signal, this.patience.signal);
      if (job) await this.train(job);
      if (this.trained) await this.keepModel(this.trained);
      await this.settle();
      const after = await this.runNow();
      if (!this.isFenced && after && isTerminal(after.state)) await this.files.removeLeftovers(after.modelUri);
    } catch (error) {
      this.fail(error);
      await this.settle();
    } finally {
      clearInterval(heartbeat);
      this.timeout.stop();
      this.stopping.abort();
      this.patience.abort();
    }
  }

  /** The child stops at the next batch boundary; isLeaving: with a checkpoint, from which another attempt goes on. */
  private stop(isLeaving: boolean): void {
    this.stopping.abort();
    this.child?.stop(isLeaving);
    if (!isLeaving) setTimeout(() => this.patience.abort(), lastPatienceMs).unref();
  }

  /** Hands the run back to the queue, to go on from where it is, or from its last checkpoint if that takes longer than graceMs. */
  drain(graceMs: number): void {
    this.isDraining = true;
    this.stop(true);
    const end = () => {
      this.child?.kill();
      this.patience.abort();
    };
    setTimeout(end, graceMs).unref();
  }

  /** Another process changed the run: what it wants is seen now rather than at the next beat. */
  look(): void {
    void this.heartbeat();
  }

  private ask<T>(body: () => Promise<T>): Promise<T> {
    return persistently(this.patience.signal, body);
  }

  private async runNow() {
    return (await this.ask(() => this.context.store.runs.get(this.lease.runId)))?.run;
  }

  private async train(job: TrainerJob): Promise<void> {
    if (this.isFenced || this.stopping.signal.aborted) return;
    const {trainerEntry, trainerEnv} = this.context;
    const first = {kind: 'start', job} as const;
    this.child = new TrainerChild(trainerEntry, first, message => this.hear(message), trainerEnv);
    const how = await this.child.ended;
    await this.heard;
    if (!this.ending && !this.trained && !this.isFenced)
      this.context.logger.warn({...this.lease, how}, 'The trainer process is gone');
    if (!this.isFenced) await this.files.removeUnnamed();
  }

  /** Messages are handled one after the other, as they came. Steps alone do not wait: many may come while the store is slow. */
  private hear(message: FromTrainer): void {
    if (this.isFenced || this.ending) return;
    if (message.kind === 'event' && message.event.kind === 'step' && !this.writer.step(message.event, message.spent))
      return;
    this.heard = this.heard
      .then(async () => {
        if (!this.isFenced && !this.ending) await this.handle(message);
      })
      .catch(error => this.fail(error));
  }

  private async handle(message: FromTrainer): Promise<void> {
    await this.files.keep(message);
    switch (message.kind) {
      case 'event': {
        const before = message.best && (await this.files.named());
        if (!(await this.writer.event(message))) this.fence();
        else if (before) await this.files.removeSuperseded(before);
        return;
      }
      case 'epoch':
        if (await this.writer.epoch(message)) await this.goOn();
        else this.fence();
        return;
      case 'checkpoint':
        if (await this.writer.checkpoint(message)) await this.goOn();
        else this.fence();
        return;
      case 'tested':
        if (!(await this.writer.tested(message))) this.fence();
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
  private async goOn(): Promise<void> {
    await this.files.removeUnnamed();
    this.child?.committed();
  }

  private async heartbeat(): Promise<void> {
    const {store, leaseMs, logger} = this.context;
    // What it has asked may be answered by what was true before.
    this.isBeatWanted = this.isBeating;
    if (this.isBeating) return;
    this.isBeating = true;
    try {
      const state = await store.leases.renew(this.lease, leaseMs);
      // The end of the run ends the lease too: then the one who writes it hears of either.
      if (state === undefined && !this.isSettling) this.fence();
      if (state === 'CANCELLING' || state === 'SUSPENDING') this.stop(state === 'SUSPENDING');
    } catch (error) {
      logger.error({...this.lease, error: String(error)}, 'The lease could not be renewed');
    } finally {
      this.isBeating = false;
      if (this.isBeatWanted && !this.isFenced) void this.heartbeat();
    }
  }

  /** A later attempt exists, or the run has ended: nothing that this one does may count. */
  private fence(): void {
    if (this.isFenced) return;
    this.isFenced = true;
    this.stopping.abort();
    this.patience.abort();
    this.context.logger.warn({...this.lease}, 'The lease is void: the trainer is stopped');
    this.child?.kill();
  }

  private fail(error: unknown): void {
    const {logger} = this.context;
    const isOurs = error instanceof FtftError;
    logger.error({...this.lease, error: isOurs ? error.message : (error as Error).stack}, 'The runner cannot go on');
    const plain = isOurs ? error.toPlain() : unexpected;
    this.ending = (stored, now) => {
      // A store that cannot be used for now costs the attempt, not the run; so does a hub, but the last attempt says so.
      const isLast = stored.lostLeases + 1 >= stored.run.spec.maxAttempts;
      const isAttempts = plain.reason === 'STORE_UNAVAILABLE' || (plain.reason === 'HUB_UNAVAILABLE' && !isLast);
      return isAttempts ? lost(stored, now) : ended(stored, 'FAILED', now, plain);
    };
    this.child?.kill();
  }

  /** By the database's times, and then by a timer, which no wrong clock of this machine can mislead. */
  private startTimeout(): void {
    const {run, work} = this.stored;
    const {spec, startTime, updateTime} = run;
    const {executionTimeoutMs} = spec;
    if (executionTimeoutMs === undefined) return;
    const spentMs = updateTime - (startTime ?? updateTime) - (work.suspendedMs ?? 0);
    this.timeout.start(executionTimeoutMs - spentMs, () => void this.timeOut(executionTimeoutMs));
  }

  private async timeOut(executionTimeoutMs: number): Promise<void> {
    try {
      const state = (await this.runNow())?.state;
      if ((state !== 'RUNNING' && state !== 'SUSPENDING') || this.ending || this.trained) return;
      await this.writer.append((stored, now) => cancelling(stored, executionTimeout(executionTimeoutMs), now));
      this.stop(false);
    } catch (error) {
      this.fail(error);
    }
  }

  private async keepModel({modelFolder, keptSteps, spent, rates}: Trained): Promise<void> {
    const {store, leaseMs} = this.context;
    if ((await this.ask(() => store.leases.renew(this.lease, leaseMs))) === undefined) return this.fence();
    const modelUri = await this.files.keepModel(modelFolder);
    this.writer.spend(spent);
    this.ending = (stored, now) => {
      const {progress} = stored.run;
      const run = {
        ...stored.run,
        progress: {...progress, keptSteps, stoppedEarly: progress.steps < progress.totalSteps},
        modelUri,
      };
      return ended({...stored, run, work: {...stored.work, rates}}, 'SUCCEEDED', now);
    };
  }

  /** Writes the end, into the reserve where the disk is full; again and again, until the lease is void. */
  private async settle(): Promise<void> {
    const {logger, reserve} = this.context;
    const ending = this.ending ?? (this.stopping.signal.aborted ? released : lost);
    this.isSettling = true;
    // As long as the lease is ours nobody else puts anything there.
    if (!this.isFenced) await this.files.forget();
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
