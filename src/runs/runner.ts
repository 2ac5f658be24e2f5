// The queue in, one attempt after the other out, one at a time for each accelerator: claims runs, sweeps leases that ran out, hands
// back what it holds when it closes.
import type {Evaluation, WarningThresholds} from '../pipeline/types.js';
import {Attempt, type AttemptContext} from './attempt.js';
import {readCommittedEpochs} from './committed-epochs.js';
import type {DataMaps} from './data-maps.js';
import type {Datasets} from './datasets.js';
import {findErmRun} from './erm-run.js';
import {evaluationRounds} from './evaluation-rounds.js';
import {isOfTraining, lost, released, started} from './run-changes.js';
import {isTerminal} from './run-state.js';
import type {Lease, MakeChange, StoredRun} from './store.js';
import type {TrainerJob} from './trainer-protocol.js';
import type {RunRecord} from './types.js';

export interface RunnerContext extends Omit<AttemptContext, 'trainerEnv'> {
  owner: string;
  isDead: (owner: string) => boolean;
  /** Environments of the trainers that may work at once, one for each accelerator; undefined: this process's own. */
  accelerators: (NodeJS.ProcessEnv | undefined)[];
  /** Between two checkpoints inside an epoch. */
  checkpointMs: number;
  tokensFolder: string;
  /** Folder in which this machine has a run's model. */
  modelOf: (stored: Pick<StoredRun, 'run' | 'work'>) => Promise<string>;
  datasets: Datasets;
  dataMaps: DataMaps;
  /** Of trainings; our defaults when undefined. */
  warningThresholds?: WarningThresholds;
}

/** Between two sweeps, should a lease that is over not go away. */
const leastSweepMs = 200;

interface Held {
  attempt: Attempt;
  done: Promise<void>;
}

export class Runner {
  private timer: NodeJS.Timeout | undefined;
  /** Set while a lease may end before the next turn. */
  private sweepTimer: NodeJS.Timeout | undefined;
  /** What each accelerator works at. */
  private readonly held: (Held | undefined)[];
  private isClosing = false;
  private mayClaim = true;
  /** Settles when the queue has been served; while that lasts, a wish to serve it again is kept. */
  private turning: Promise<void> | undefined;
  private isTurnWanted = false;
  /** Settles when the device, lent for other work, is free again. */
  private lent: Promise<unknown> | undefined;
  private readonly closing = new AbortController();
  private failedAt = Number.NEGATIVE_INFINITY;
  /** By the latest turn. */
  isQueueServed = true;
  /** A claim may have been made whose answer was lost. */
  private isClaimUnsure = false;

  constructor(private readonly context: RunnerContext) {
    this.held = context.accelerators.map(() => undefined);
  }

  start(): void {
    this.timer = setInterval(() => this.turn(), this.context.leaseMs / 3);
    this.turn();
  }

  /** A run may be waiting. */
  wake(): void {
    if (this.timer) this.turn();
  }

  /** Process id of a trainer at work. */
  get trainerPid(): number | undefined {
    return this.attempts().find(({childPid}) => childPid !== undefined)?.childPid;
  }

  get isLent(): boolean {
    return this.lent !== undefined;
  }

  /** A run was changed by someone else than its attempt. */
  look(runId?: string): void {
    for (const attempt of this.attempts()) if (runId === undefined || attempt.lease.runId === runId) attempt.look();
  }

  /** A run ended while no attempt of ours held it: the checkpoints that it was to go on from are of no more use. */
  tidy({id: runId, uid, modelUri}: RunRecord): void {
    const {files, logger} = this.context;
    files
      .removeLeftovers({uid, modelUri})
      .catch(error => logger.warn({runId, error: String(error)}, 'Files of a run that has ended stay'));
  }

  /** The runs at work go on; no other is taken. */
  stopClaiming(): void {
    this.mayClaim = false;
  }

  /** Runs the work while no run begins; undefined, and nothing is done, where a run or other such work has the device, or there is none: who
   * waited for all the others would wait for ever. The signal ends it at close(). */
  async borrow<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    while (!this.lent && this.turning) await this.turning.catch(() => {});
    if (this.lent || this.held.length === 0 || this.attempts().length > 0 || this.isClosing) return undefined;
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
    clearTimeout(this.sweepTimer);
    await this.lent?.catch(() => {});
    for (const attempt of this.attempts()) attempt.drain(graceMs);
    await Promise.all(this.held.map(held => held?.done));
  }

  private attempts(): Attempt[] {
    return this.held.flatMap(held => held?.attempt ?? []);
  }

  private holds({runId, attempt}: Lease): boolean {
    return this.attempts().some(({lease}) => lease.runId === runId && lease.attempt === attempt);
  }

  private turn(): void {
    if (this.turning) this.isTurnWanted = true;
    if (this.turning || this.isClosing) return;
    this.turning = this.serve().finally(() => {
      this.turning = undefined;
      if (this.isTurnWanted) this.turn();
    });
  }

  private get hasRoom(): boolean {
    return this.mayClaim && !this.isClosing && !this.lent && this.held.includes(undefined);
  }

  private async serve(): Promise<void> {
    const {leaseMs, logger} = this.context;
    this.isTurnWanted = false;
    try {
      // After an outage everybody's leases have run out: their holders come first.
      if (performance.now() - this.failedAt > leaseMs) await this.sweep();
      if (this.isClaimUnsure) await this.giveBack();
      while (this.hasRoom) if (!(await this.claim())) break;
      this.isQueueServed = true;
    } catch (error) {
      // Such as a full disk, or a database that is away: the next turn tries again.
      this.failedAt = performance.now();
      this.isQueueServed = false;
      logger.error({error: String(error)}, 'The queue could not be served');
    }
  }

  private async sweep(): Promise<void> {
    const {store, isDead, logger} = this.context;
    for (const {run} of await store.leases.findLost(isDead)) {
      const lease = {runId: run.id, attempt: run.attempt};
      if (this.holds(lease)) continue;
      // A holder that was away as long as its lease may have been first.
      const isStillLost = async () =>
        (await store.leases.findLost(isDead)).some(({run: {id, attempt}}) => id === run.id && attempt === run.attempt);
      if (await this.change(lease, lost, isStillLost)) logger.warn(lease, 'The lease ran out');
    }
    await this.sweepInTime();
  }

  /** A run whose worker died goes on when its lease is over, not at some later turn. */
  private async sweepInTime(): Promise<void> {
    const {store, leaseMs} = this.context;
    clearTimeout(this.sweepTimer);
    const ms = await store.leases.nextEndMs();
    if (ms === undefined || ms > leaseMs / 3) return;
    this.sweepTimer = setTimeout(() => this.turn(), Math.max(ms, leastSweepMs) + 1);
  }

  /** Runs that are ours without our knowing. */
  private async giveBack(): Promise<void> {
    const {store, owner, logger} = this.context;
    for (const lease of await store.leases.heldBy(owner))
      if (!this.holds(lease) && (await this.change(lease, released)))
        logger.warn(lease, 'A run was given back whose claim was not answered');
    this.isClaimUnsure = false;
  }

  /** False when the lease is void, or the condition, asked while nobody else changes the run, does not hold. */
  private async change(lease: Lease, change: MakeChange, isWanted = async () => true): Promise<boolean> {
    const {store, onAppended} = this.context;
    const events = await store.transaction(async () => {
      await store.runs.hold(lease.runId);
      return (await isWanted()) ? await store.log.append(lease, change) : undefined;
    });
    const after = events && (await store.runs.get(lease.runId))?.run;
    if (!after) return false;
    onAppended(after, events);
    if (isTerminal(after.state)) this.tidy(after);
    return true;
  }

  /** False when there is nothing to take. */
  private async claim(): Promise<boolean> {
    const {store, owner, leaseMs, onAppended} = this.context;
    this.isClaimUnsure = true;
    const claimed = await store.transaction(async () => {
      const found = await store.leases.claim(owner, leaseMs);
      if (!found) return undefined;
      const {id: runId, attempt} = found.run;
      const events = (await store.log.append({runId, attempt}, started))!;
      return {stored: (await store.runs.get(runId))!, events};
    });
    this.isClaimUnsure = false;
    if (!claimed) return false;
    onAppended(claimed.stored.run, claimed.events);
    this.attempt(claimed.stored);
    return true;
  }

  private attempt(stored: StoredRun): void {
    const place = this.held.indexOf(undefined);
    const attempt = new Attempt(stored, {...this.context, trainerEnv: this.context.accelerators[place]});
    const done = attempt
      .run(() => this.prepare(stored))
      .finally(() => {
        this.held[place] = undefined;
        this.wake();
      });
    this.held[place] = {attempt, done};
  }

  private async prepare({run, work}: StoredRun): Promise<TrainerJob> {
    const {datasets, dataMaps, files, tokensFolder, checkpointMs, reserve, logger} = this.context;
    await reserve.take().catch(error => logger.warn({error: String(error)}, 'There is no room to set aside'));
    const {spec, progress} = run;
    return {
      attempt: run.attempt,
      folder: files.folder(run.uid),
      tokensFolder,
      modelFolder: await this.context.modelOf({run, work}),
      classNames: (await datasets.get(spec.dataset)).classNames,
      spec,
      totalSteps: progress.totalSteps,
      scheduleSteps: work.scheduleSteps,
      earlyStopping: run.earlyStopping,
      baseline: await this.baseline(run),
      warningThresholds: this.context.warningThresholds,
      isMain: run.kind === 'MAIN',
      checkpointMs,
      train: await datasets.source(spec.dataset, spec.trainSplit),
      evaluationSets: await datasets.sources(spec.dataset, spec.evaluationSplits),
      testSets: await datasets.sources(spec.dataset, spec.testSplits ?? []),
      instances: work.dataMapFile === undefined ? undefined : await dataMaps.selectedInstances(work.dataMapFile),
      resume: await this.resume({run, work}),
    };
  }

  private async resume({run, work}: Pick<StoredRun, 'run' | 'work'>): Promise<TrainerJob['resume']> {
    const {store, files} = this.context;
    const {log} = store;
    const {checkpoint, best} = work;
    if (!checkpoint) return undefined;
    return {
      checkpoint: await files.fetchCheckpoint(run.uid, checkpoint),
      steps: checkpoint.steps,
      rounds: await evaluationRounds(log, run),
      committedEpochs: await readCommittedEpochs(log, run.id),
      warned: (run.warnings ?? []).map(({code}) => code).filter(isOfTraining),
      best: best && (await files.fetchCheckpoint(run.uid, best)),
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
