// The queue in, one attempt after the other out: claims runs, sweeps leases that ran out, hands back what it holds when it closes.
import {join} from 'node:path';
import type {Evaluation, WarningThresholds} from '../pipeline/types.js';
import {Attempt, type AttemptContext} from './attempt.js';
import {removeLeftovers} from './checkpoints.js';
import {readCommittedEpochs} from './committed-epochs.js';
import type {DataMaps} from './data-maps.js';
import type {Datasets} from './datasets.js';
import {findErmRun} from './erm-run.js';
import {evaluationRounds} from './evaluation-rounds.js';
import {isDeadOwner} from './owner.js';
import {isOfTraining, lost, started} from './run-changes.js';
import {isTerminal} from './run-state.js';
import type {StoredRun} from './store.js';
import type {TrainerJob} from './trainer-protocol.js';
import type {RunRecord} from './types.js';

export interface RunnerContext extends AttemptContext {
  owner: string;
  /** Parent of the runs' folders. */
  runsFolder: string;
  tokensFolder: string;
  datasets: Datasets;
  dataMaps: DataMaps;
  /** Of trainings; our defaults when undefined. */
  warningThresholds?: WarningThresholds;
}

export class Runner {
  private timer: NodeJS.Timeout | undefined;
  private current: {attempt: Attempt; done: Promise<void>} | undefined;
  private isClosing = false;
  private mayClaim = true;
  /** Settles when the queue has been served; while that lasts, a wish to serve it again is kept. */
  private turning: Promise<void> | undefined;
  private isTurnWanted = false;
  /** Settles when the device, lent for other work, is free again. */
  private lent: Promise<unknown> | undefined;
  private readonly closing = new AbortController();

  constructor(private readonly context: RunnerContext) {}

  start(): void {
    this.timer = setInterval(() => this.turn(), this.context.leaseMs / 3);
    this.turn();
  }

  /** A run may be waiting. */
  wake(): void {
    if (this.timer) this.turn();
  }

  /** Process id of the trainer at work. */
  get trainerPid(): number | undefined {
    return this.current?.attempt.childPid;
  }

  get isLent(): boolean {
    return this.lent !== undefined;
  }

  /** A run was set to CANCELLING. */
  stop(runId: string): void {
    if (this.current?.attempt.lease.runId === runId) this.current.attempt.stop();
  }

  /** A run ended while no attempt of ours held it: the checkpoints that it was to go on from are of no more use. */
  tidy({id: runId, uid}: RunRecord): void {
    const {runsFolder, logger} = this.context;
    removeLeftovers(join(runsFolder, uid)).catch(error =>
      logger.warn({runId, error: String(error)}, 'Files of a run that has ended stay'),
    );
  }

  /** The run at work goes on; no other is taken. */
  stopClaiming(): void {
    this.mayClaim = false;
  }

  /** Runs the work while no run begins; undefined, and nothing is done, where one holds the device. The signal ends it at close(). */
  async borrow<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    while (this.lent || this.turning) await (this.lent ?? this.turning)?.catch(() => {});
    if (this.current || this.isClosing) return undefined;
    const result = work(this.closing.signal);
    this.lent = result.finally(() => {
      this.lent = undefined;
      this.wake();
    });
    return await (this.lent as Promise<T>);
  }

  async close(graceMs: number): Promise<void> {
    this.isClosing = true;
    this.closing.abort();
    clearInterval(this.timer);
    await this.turning;
    await this.lent?.catch(() => {});
    this.current?.attempt.drain(graceMs);
    await this.current?.done;
  }

  private turn(): void {
    if (this.turning) this.isTurnWanted = true;
    if (this.turning || this.isClosing) return;
    this.turning = this.serve().finally(() => {
      this.turning = undefined;
      if (this.isTurnWanted) this.turn();
    });
  }

  private async serve(): Promise<void> {
    const {logger} = this.context;
    this.isTurnWanted = false;
    try {
      await this.sweep();
      if (this.mayClaim && !this.isClosing && !this.current && !this.lent) await this.claim();
    } catch (error) {
      // Such as a full disk: the next turn tries again.
      logger.error({error: String(error)}, 'The queue could not be served');
    }
  }

  private async sweep(): Promise<void> {
    const {store, onAppended, logger} = this.context;
    for (const {run} of await store.leases.findLost(isDeadOwner)) {
      const {id: runId, attempt} = run;
      if (this.current?.attempt.lease.runId === runId && this.current.attempt.lease.attempt === attempt) continue;
      const events = await store.log.append({runId, attempt}, lost);
      if (!events) continue;
      logger.warn({runId, attempt}, 'The lease ran out');
      const after = (await store.runs.get(runId))!.run;
      onAppended(after, events);
      if (isTerminal(after.state)) this.tidy(after);
    }
  }

  private async claim(): Promise<void> {
    const {store, owner, leaseMs, onAppended} = this.context;
    const claimed = await store.transaction(async () => {
      const found = await store.leases.claim(owner, leaseMs);
      if (!found) return undefined;
      const {id: runId, attempt} = found.run;
      const events = (await store.log.append({runId, attempt}, started))!;
      return {stored: (await store.runs.get(runId))!, events};
    });
    if (!claimed) return;
    onAppended(claimed.stored.run, claimed.events);
    const attempt = new Attempt(claimed.stored, this.context);
    const done = attempt
      .run(() => this.prepare(claimed.stored))
      .finally(() => {
        this.current = undefined;
        this.wake();
      });
    this.current = {attempt, done};
  }

  private async prepare({run, work}: StoredRun): Promise<TrainerJob> {
    const {datasets, dataMaps, runsFolder, tokensFolder, reserve, logger} = this.context;
    await reserve.take().catch(error => logger.warn({error: String(error)}, 'There is no room to set aside'));
    const {spec, progress} = run;
    const folder = join(runsFolder, run.uid);
    return {
      attempt: run.attempt,
      folder,
      tokensFolder,
      modelFolder: work.modelFolder,
      classNames: (await datasets.get(spec.dataset)).classNames,
      spec,
      totalSteps: progress.totalSteps,
      scheduleSteps: work.scheduleSteps,
      earlyStopping: run.earlyStopping,
      baseline: await this.baseline(run),
      warningThresholds: this.context.warningThresholds,
      isMain: run.kind === 'MAIN',
      train: await datasets.source(spec.dataset, spec.trainSplit),
      evaluationSets: await Promise.all(spec.evaluationSplits.map(split => datasets.source(spec.dataset, split))),
      instances: work.dataMapFile === undefined ? undefined : await dataMaps.selectedInstances(work.dataMapFile),
      resume: await this.resume({run, work}, folder),
    };
  }

  private async resume({run, work}: Pick<StoredRun, 'run' | 'work'>, folder: string): Promise<TrainerJob['resume']> {
    const {log} = this.context.store;
    const {checkpoint, best} = work;
    if (!checkpoint) return undefined;
    const inFolder = <F extends {file: string}>(kept: F): F => ({...kept, file: join(folder, kept.file)});
    return {
      checkpoint: inFolder(checkpoint),
      steps: checkpoint.steps,
      rounds: await evaluationRounds(log, run.id),
      committedEpochs: await readCommittedEpochs(log, run.id),
      warned: (run.warnings ?? []).map(({code}) => code).filter(isOfTraining),
      best: best && inFolder(best),
    };
  }

  /** Evaluations of the ERM run that a main run would replace. */
  private async baseline({kind, method, spec}: RunRecord): Promise<Evaluation[] | undefined> {
    if (kind !== 'MAIN' || method === 'erm') return undefined;
    const {store, datasets} = this.context;
    const numTrain = await datasets.instanceCount(spec.dataset, spec.trainSplit);
    return (await findErmRun(store.runs, spec, numTrain))?.evaluations;
  }
}
