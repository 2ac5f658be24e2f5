// What a trainer says in; changes of the run and events of its log out, each append fenced by the attempt's lease.
import {basename} from 'node:path';
import {digestOf, toChunks} from './committed-epochs.js';
import {LiveProgress} from './live-progress.js';
import type {Logger} from './logger.js';
import {epochCommitted, evaluated, progressed} from './run-changes.js';
import type {Change, Lease, Store, StoredRun} from './store.js';
import type {FromTrainer} from './trainer-protocol.js';
import type {LogEvent, RunRecord, StoredEvent} from './types.js';

const progressIntervalMs = 500;

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
  onAppended: (run: RunRecord, events: StoredEvent[]) => void;
  onStep: (step: StepTelemetry) => void;
}

export class AttemptWriter {
  readonly lease: Lease;
  private readonly live: LiveProgress;
  private writtenAt = 0;

  constructor(
    private readonly stored: StoredRun,
    private readonly context: WriterContext,
  ) {
    this.lease = {runId: stored.run.id, attempt: stored.run.attempt};
    this.live = new LiveProgress(stored.run, Date.now());
  }

  /** The change, with progress and cost so far; false, and nothing changed, when the lease is void. */
  append(change: (stored: StoredRun) => Change): boolean {
    const {store, onAppended} = this.context;
    const now = Date.now();
    const events = store.log.append(this.lease, before => change(progressed(before, this.live.at(now), now)));
    if (!events) return false;
    this.writtenAt = now;
    onAppended(store.runs.get(this.lease.runId)!.run, events);
    return true;
  }

  /** False when the lease is void. */
  event({event, flops}: Extract<FromTrainer, {kind: 'event'}>): boolean {
    switch (event.kind) {
      case 'epoch-started':
        return this.append(stored => ({stored, events: [{kind: 'epoch-started', epoch: event.epoch}]}));
      case 'step': {
        this.live.step(event, flops);
        const {steps, loss, seconds, instances, tokens} = event;
        const now = Date.now();
        const {run} = progressed(this.stored, this.live.at(now), now);
        this.context.onStep({run, steps, loss, seconds, instances, tokens});
        // Steps are progress, not history: they change the run, and not at every one.
        if (now - this.writtenAt < progressIntervalMs) return true;
        return this.append(stored => ({stored, events: []}));
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
        return true;
      }
    }
  }

  /** Chunks, commit and checkpoint in one transaction; false when the lease is void. */
  epoch({event, checkpoint}: Extract<FromTrainer, {kind: 'epoch'}>): boolean {
    const {epoch, steps, trainLoss, dynamics} = event;
    const chunks = toChunks(epoch, dynamics);
    const instanceCount = dynamics.pTrue.length;
    return this.append(before => {
      const stored = epochCommitted(before, epoch, {...checkpoint, file: basename(checkpoint.file), steps});
      const {cost} = stored.run;
      const committed: LogEvent = {
        kind: 'epoch-committed',
        ...{epoch, chunkCount: chunks.length, instanceCount, digest: digestOf(dynamics), trainLoss, steps, cost},
      };
      return {stored, events: [...chunks, committed]};
    });
  }
}
