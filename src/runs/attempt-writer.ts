// What a trainer says in; changes of the run and events of its log out, each append fenced by the attempt's lease.
import {basename} from 'node:path';
import type {TrainingEvent} from '../pipeline/types.js';
import {digestOf, toChunks} from './committed-epochs.js';
import type {EnergyMeter} from './energy-meter.js';
import {LiveProgress} from './live-progress.js';
import type {Logger} from './logger.js';
import {persistently} from './retry-store.js';
import {checkpointed, epochCommitted, evaluated, progressed, warned} from './run-changes.js';
import type {Lease, MakeChange, Store, StoredRun} from './store.js';
import type {FromTrainer, Spent} from './trainer-protocol.js';
import type {LogEvent, RunRecord, StoredEvent} from './types.js';

const progressIntervalMs = 500;

type Step = Extract<TrainingEvent, {kind: 'step'}>;

/** Live telemetry of one optimizer update; run: with progress and cost so far. */
export interface StepTelemetry {
  run: RunRecord;
  steps: number;
  loss: number;
  seconds: number;
  instances: number;
  tokens: number;
}

export interface WriterContext {
  store: Store;
  logger: Logger;
  /** Undefined where the device does not tell. */
  energy?: EnergyMeter;
  onAppended: (run: RunRecord, events: StoredEvent[]) => void;
  onStep: (step: StepTelemetry) => void;
}

export class AttemptWriter {
  readonly lease: Lease;
  private readonly live: LiveProgress;
  private writtenAt = Number.NEGATIVE_INFINITY;
  private isProgressDue = false;
  private turn: Promise<unknown> = Promise.resolve();
  private numAppends = 0;

  constructor(
    private readonly stored: StoredRun,
    private readonly context: WriterContext,
    /** Aborted when the store is to be waited for no longer. */
    private readonly signal: AbortSignal,
  ) {
    this.lease = {runId: stored.run.id, attempt: stored.run.attempt};
    this.live = new LiveProgress(stored.run, performance.now(), context.energy);
  }

  /**
   * The change, with progress and cost so far; false, and nothing changed, when the lease is void. One at a time, and as long as the
   * database is away: what it was told of, and did not confirm, is found again by its key.
   */
  append(change: MakeChange): Promise<boolean> {
    const done = this.turn.then(() => this.appendNext(change));
    this.turn = done.catch(() => {});
    return done;
  }

  private async appendNext(change: MakeChange): Promise<boolean> {
    const {store, onAppended} = this.context;
    const key = String(++this.numAppends);
    this.writtenAt = performance.now();
    const live = this.live.at(this.writtenAt);
    const appended = await persistently(this.signal, async () => {
      const make: MakeChange = (before, now) => change(progressed(before, live, now), now);
      const events = await store.log.append(this.lease, make, key);
      const run = events && (await store.runs.get(this.lease.runId))?.run;
      return run && {run, events};
    });
    if (appended) onAppended(appended.run, appended.events);
    return appended !== undefined;
  }

  /** What the attempt has spent so far. */
  spend(spent: Spent): void {
    this.live.spend(spent);
  }

  /** Steps are progress, not history: true when the event is to be written too, to say how far the run is. */
  step(event: Step, spent: Spent): boolean {
    this.live.step(event);
    this.live.spend(spent);
    const {steps, loss, seconds, instances, tokens} = event;
    const now = performance.now();
    const {run} = progressed(this.stored, this.live.at(now), Date.now());
    this.context.onStep({run, steps, loss, seconds, instances, tokens});
    if (this.isProgressDue || now - this.writtenAt < progressIntervalMs) return false;
    this.isProgressDue = true;
    return true;
  }

  /** False when the lease is void. */
  async event({event, spent, best}: Extract<FromTrainer, {kind: 'event'}>): Promise<boolean> {
    this.live.spend(spent);
    switch (event.kind) {
      case 'epoch-started':
        return await this.append(stored => ({stored, events: [{kind: 'epoch-started', epoch: event.epoch}]}));
      case 'step':
        this.isProgressDue = false;
        return await this.append(stored => ({stored, events: []}));
      case 'evaluations':
        this.live.evaluation(event.seconds);
        return await this.append(before => {
          const {evaluations, watch, steps} = event;
          const file = best && {...best, file: basename(best.file)};
          const {stored, events} = warned(evaluated(before, {evaluations, steps, best: file}), event.warnings);
          const made: LogEvent = {kind: 'evaluations-made', evaluations, cost: stored.run.cost, ...(watch && {watch})};
          return {stored, events: [made, ...events]};
        });
      case 'partial-epoch-dropped': {
        const {epoch, visited, numInstances, warnings} = event;
        this.context.logger.info({...this.lease, epoch, visited, numInstances}, 'The last epoch is not whole: dropped');
        return warnings.length === 0 || (await this.append(stored => warned(stored, warnings)));
      }
    }
  }

  /** Beside those of the weights that the run keeps; false when the lease is void. */
  async tested({evaluations, spent}: Extract<FromTrainer, {kind: 'tested'}>): Promise<boolean> {
    this.live.spend(spent);
    return await this.append(before => {
      const run = {...before.run, evaluations: [...before.run.evaluations, ...evaluations]};
      return {stored: {...before, run}, events: [{kind: 'evaluations-made', evaluations, cost: run.cost}]};
    });
  }

  /** Chunks, commit and checkpoint in one transaction; false when the lease is void. */
  async epoch({event, spent, checkpoint}: Extract<FromTrainer, {kind: 'epoch'}>): Promise<boolean> {
    const {epoch, steps, trainLoss, dynamics, warnings} = event;
    this.live.spend(spent);
    const {discardLogits} = this.stored.run.spec;
    const chunks = toChunks(epoch, discardLogits ? {...dynamics, logits: new Float32Array()} : dynamics);
    const instanceCount = dynamics.pTrue.length;
    return await this.append(before => {
      const committedRun = epochCommitted(before, epoch, {...checkpoint, file: basename(checkpoint.file), steps});
      const {stored, events} = warned(committedRun, warnings);
      const {cost} = stored.run;
      const committed: LogEvent = {
        kind: 'epoch-committed',
        ...{epoch, chunkCount: chunks.length, instanceCount, digest: digestOf(dynamics), trainLoss, steps, cost},
      };
      return {stored, events: [...chunks, committed, ...events]};
    });
  }

  /** Of an epoch that is not whole: changes the record alone. False when the lease is void. */
  async checkpoint({steps, spent, checkpoint}: Extract<FromTrainer, {kind: 'checkpoint'}>): Promise<boolean> {
    this.live.spend(spent);
    const kept = {...checkpoint, file: basename(checkpoint.file), steps};
    return await this.append(before => ({stored: checkpointed(before, kept), events: []}));
  }
}
