// Log events other than chunks → the event of a stream message.
import type {Watch} from '../pipeline/types.js';
import type {LogEvent} from '../runs/types.js';
import type {EarlyStoppingState, StreamDynamicsResponse} from './gen/ftft/v1/dynamics.js';
import {toCost} from './translate-cost.js';
import {toEvaluation, toRun, toWarning} from './translate-run.js';

export type WireEvent = NonNullable<StreamDynamicsResponse['event']>;

export function toWireEvent(event: Exclude<LogEvent, {kind: 'chunk'}>): WireEvent {
  switch (event.kind) {
    case 'run-changed':
      return {$case: 'runChanged', value: toRun(event.run)};
    case 'epoch-started':
      return {$case: 'epochStarted', value: {epoch: event.epoch}};
    case 'epoch-committed':
      return {
        $case: 'epochCommitted',
        value: {
          epoch: event.epoch,
          chunkCount: event.chunkCount,
          instanceCount: event.instanceCount,
          digest: event.digest,
          trainLoss: event.trainLoss,
          steps: event.steps,
          cost: toCost(event.cost),
        },
      };
    case 'evaluations-made':
      return {
        $case: 'evaluationsMade',
        value: {
          evaluations: event.evaluations.map(toEvaluation),
          cost: toCost(event.cost),
          earlyStopping: toWatch(event.watch),
        },
      };
    case 'run-warned':
      return {$case: 'runWarned', value: {warning: toWarning(event.warning)}};
    case 'epochs-discarded':
      return {
        $case: 'epochsDiscarded',
        value: {firstEpoch: event.firstEpoch, steps: event.steps, reason: event.reason},
      };
  }
}

function toWatch(watch: Watch | undefined): EarlyStoppingState | undefined {
  if (!watch) return undefined;
  const {score, bestScore, bestSteps, roundsSinceBest} = watch;
  return {score, bestScore, bestSteps, roundsSinceBest};
}
