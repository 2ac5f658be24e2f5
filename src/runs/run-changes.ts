// A stored run and what happened to it in; the next version and the events that say so out. Pure: times come in.
import type {PlainError} from '../errors.js';
import type {Evaluation, TrainingWarningCode} from '../pipeline/types.js';
import {workerLost} from './run-errors.js';
import {isHeld} from './run-state.js';
import type {Change, KeptCheckpoint, StoredRun} from './store.js';
import type {LogEvent, RunRecord, RunWarning, TrainingCost} from './types.js';

const changed = (stored: StoredRun): LogEvent => ({kind: 'run-changed', run: stored.run});
const withRun = (stored: StoredRun, run: Partial<RunRecord>): StoredRun => ({...stored, run: {...stored.run, ...run}});

/** The time in the queue, where it has just come to an end, counts. */
function queueMsOf({run, work}: StoredRun, now: number): number {
  const {queueMs} = run.cost;
  return run.state === 'PENDING' ? queueMs + Math.max(0, now - work.pendingSince) : queueMs;
}

/** A worker took the run. */
export function started(stored: StoredRun, now: number): Change {
  const {run, work} = stored;
  const queueMs = run.cost.queueMs + Math.max(0, now - work.pendingSince);
  const after = withRun(stored, {startTime: run.startTime ?? now, cost: {...run.cost, queueMs}});
  return {stored: after, events: [changed(after)]};
}

/** Cancellation was asked for: at once where nobody holds the run. */
export function cancelling(stored: StoredRun, reason: PlainError, now: number): Change {
  if (!isHeld(stored.run.state)) return ended(stored, 'CANCELLED', now, reason);
  const after = {...withRun(stored, {state: 'CANCELLING'}), work: {...stored.work, stopReason: reason}};
  return {stored: after, events: [changed(after)]};
}

/** Its worker is to hand it back, and nobody to take it: at once where nobody holds it. */
export function suspending(stored: StoredRun, now: number): Change {
  if (!isHeld(stored.run.state)) return suspended({stored, events: []}, now);
  const after = withRun(stored, {state: 'SUSPENDING'});
  return {stored: after, events: [changed(after)]};
}

/** Back to the queue; where its worker has not handed it back yet, it may keep it. */
export function resumed(stored: StoredRun, now: number): Change {
  if (isHeld(stored.run.state)) {
    const after = withRun(stored, {state: 'RUNNING'});
    return {stored: after, events: [changed(after)]};
  }
  const {suspendedSince = now, suspendedMs = 0} = stored.work;
  const isStarted = stored.run.startTime !== undefined;
  const work = {
    ...stored.work,
    suspendedSince: undefined,
    suspendedMs: suspendedMs + (isStarted ? Math.max(0, now - suspendedSince) : 0),
  };
  return pendingAgain({stored: {...stored, work}, events: []}, now);
}

export function ended(
  stored: StoredRun,
  state: 'SUCCEEDED' | 'FAILED' | 'CANCELLED',
  now: number,
  error?: PlainError,
): Change {
  const {startTime, cost, progress} = stored.run;
  const wallMs = startTime === undefined ? 0 : now - startTime;
  const after = withRun(stored, {
    state,
    error,
    endTime: now,
    cost: {...cost, queueMs: queueMsOf(stored, now), wallMs},
    progress: {...progress, estimatedRemainingMs: undefined},
  });
  return {stored: after, events: [changed(after)]};
}

/** What came after the last checkpoint is void: with a worker lost, or one that handed its run back. */
function discarded(stored: StoredRun, reason: string): Change {
  const {run, work} = stored;
  const {cost, progress} = run;
  const steps = work.checkpoint?.steps ?? 0;
  const keptSteps = work.keptBest?.steps ?? 0;
  const wasted = Math.max(0, cost.acceleratorMs - work.keptAcceleratorMs);
  const after: StoredRun = {
    ...withRun(stored, {
      progress: {...progress, steps, keptSteps, trainLoss: undefined, estimatedRemainingMs: undefined},
      cost: {...cost, wastedAcceleratorMs: cost.wastedAcceleratorMs + wasted},
      evaluations: work.keptEvaluations,
      warnings: run.warnings?.filter(warning => warning.steps <= steps),
    }),
    work: {...work, keptAcceleratorMs: cost.acceleratorMs, best: work.keptBest},
  };
  return {stored: after, events: [{kind: 'epochs-discarded', firstEpoch: progress.committedEpochs, steps, reason}]};
}

const pendingAgain = ({stored, events}: Change, now: number): Change => {
  const after = {...withRun(stored, {state: 'PENDING'}), work: {...stored.work, pendingSince: now}};
  return {stored: after, events: [...events, changed(after)]};
};

const suspended = ({stored, events}: Change, now: number): Change => {
  const after = {
    ...withRun(stored, {state: 'SUSPENDED', cost: {...stored.run.cost, queueMs: queueMsOf(stored, now)}}),
    work: {...stored.work, suspendedSince: now},
  };
  return {stored: after, events: [...events, changed(after)]};
};

/** The lease ran out or the worker died: back to the queue, or to the end where no attempt is left. */
export function lost(stored: StoredRun, now: number): Change {
  const {stored: kept, events} = discarded({...stored, lostLeases: stored.lostLeases + 1}, 'WORKER_LOST');
  const {maxAttempts} = kept.run.spec;
  const end = (state: 'FAILED' | 'CANCELLED', error?: PlainError): Change => {
    const {stored: after, events: last} = ended(kept, state, now, error);
    return {stored: after, events: [...events, ...last]};
  };
  if (kept.run.state === 'CANCELLING') return end('CANCELLED', kept.work.stopReason);
  if (kept.lostLeases >= maxAttempts) return end('FAILED', workerLost(kept.lostLeases, maxAttempts));
  return kept.run.state === 'SUSPENDING'
    ? suspended({stored: kept, events}, now)
    : pendingAgain({stored: kept, events}, now);
}

/** The worker hands the run back: no attempt counts as lost. */
export function released(stored: StoredRun, now: number): Change {
  const {state} = stored.run;
  if (state === 'CANCELLING') return ended(stored, 'CANCELLED', now, stored.work.stopReason);
  return state === 'SUSPENDING'
    ? suspended(discarded(stored, 'SUSPENDED'), now)
    : pendingAgain(discarded(stored, 'DRAINING'), now);
}

/** Steps, costs and loss so far; says nothing in the log. */
export interface Live {
  steps: number;
  trainLoss: number | undefined;
  estimatedRemainingMs: number | undefined;
  cost: Omit<TrainingCost, 'wallMs' | 'queueMs' | 'wastedAcceleratorMs'>;
}

export function progressed(stored: StoredRun, {cost, ...progress}: Live, now: number): StoredRun {
  const {run} = stored;
  const wallMs = now - (run.startTime ?? now);
  return withRun(stored, {progress: {...run.progress, ...progress}, cost: {...run.cost, ...cost, wallMs}});
}

/** What came before this checkpoint is no longer lost with the worker. */
export function checkpointed(stored: StoredRun, checkpoint: KeptCheckpoint): StoredRun {
  const {run, work} = stored;
  const {cost, evaluations} = run;
  return {
    ...stored,
    work: {
      ...work,
      ...{checkpoint, keptAcceleratorMs: cost.acceleratorMs, keptEvaluations: evaluations},
      keptBest: work.best,
    },
  };
}

/** An epoch whose checkpoint is kept. */
export function epochCommitted(stored: StoredRun, epoch: number, checkpoint: KeptCheckpoint): StoredRun {
  const {progress} = stored.run;
  return checkpointed(withRun(stored, {progress: {...progress, committedEpochs: epoch + 1}}), checkpoint);
}

/** best: the weights that were evaluated, where early stopping finds them the best so far. Else it keeps an earlier round. */
export function evaluated(
  stored: StoredRun,
  {evaluations, steps, best}: {evaluations: Evaluation[]; steps: number; best?: {file: string; sha256: string}},
): StoredRun {
  const {run, work} = stored;
  if (run.earlyStopping && !best) return stored;
  const isOfCheckpoint = work.checkpoint?.steps === steps;
  const kept = best && {...best, steps};
  const progress = kept ? {...run.progress, keptSteps: steps} : run.progress;
  return {
    ...withRun(stored, {evaluations, progress}),
    work: {...work, best: kept, ...(isOfCheckpoint && {keptEvaluations: evaluations, keptBest: kept})},
  };
}

/** Those that the trainer tells; others follow from the run's data map. */
export const isOfTraining = (code: RunWarning['code']): code is TrainingWarningCode =>
  code === 'OUT_OF_DISTRIBUTION_GAP' || code === 'NOT_CONVERGING';

export function warned(stored: StoredRun, warnings: RunWarning[]): Change {
  const events = warnings.map((warning): LogEvent => ({kind: 'run-warned', warning}));
  if (warnings.length === 0) return {stored, events};
  return {stored: withRun(stored, {warnings: [...(stored.run.warnings ?? []), ...warnings]}), events};
}
