// What a trainer says in; changes of the run and events of its log out, each append fenced by the attempt's lease.
import {basename} from 'node:path';
import type {TrainingEvent} from '../pipeline/types.js';
import {digestOf, toChunks} from './committed-epochs.js';
import type {EnergyMeter} from './energy-meter.js';
import {LiveProgress} from './live-progress.js';
import type {Logger} from './logger.js';
import {epochCommitted, evaluated, progressed, warned} from './run-changes.js';
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

  constructor(
    private readonly stored: StoredRun,
    private readonly context: WriterContext,
  ) {
    this.lease = {runId: stored.run.id, attempt: stored.run.attempt};
    this.live = new LiveProgress(stored.run, performance.now(), context.energy);
  }

  /** The change, with progress and cost so far; false, and nothing changed, when the lease is void. */
  async append(change: MakeChange): Promise<boolean> {
    const {store, onAppended} = this.context;
    this.writtenAt = performance.now();
    const live = this.live.at(this.writtenAt);
    const events = await store.log.append(this.lease, (before, now) => change(progressed(before, live, now), now));
    if (!events) return false;
    onAppended((await store.runs.get(this.lease.runId))!.run, events);
    return true;
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
}
