// Run records → messages.
import type {Evaluation} from '../pipeline/types.js';
import type {RunKind, RunProgress, RunRecord, RunState, RunWarning, TrainingSpec} from '../runs/types.js';
import {toStatus} from './error-status.js';
import {
  Precision,
  type Run,
  Run_Kind,
  Run_State,
  RunWarning_Code,
  ScheduleSpan,
  type Evaluation as WireEvaluation,
  type RunProgress as WireProgress,
  type TrainingSpec as WireSpec,
  type RunWarning as WireWarning,
} from './gen/ftft/v1/run.js';
import {toCost, toCostEstimate, toMethodCost} from './translate-cost.js';
import {toEarlyStopping, toMethod} from './translate-main.js';
import {toDate, toDuration} from './translate-time.js';

const states: Record<RunState, Run_State> = {
  PENDING: Run_State.STATE_PENDING,
  RUNNING: Run_State.STATE_RUNNING,
  SUSPENDING: Run_State.STATE_SUSPENDING,
  CANCELLING: Run_State.STATE_CANCELLING,
  SUCCEEDED: Run_State.STATE_SUCCEEDED,
  FAILED: Run_State.STATE_FAILED,
  CANCELLED: Run_State.STATE_CANCELLED,
  SUSPENDED: Run_State.STATE_SUSPENDED,
};

const kinds: Record<RunKind, Run_Kind> = {
  REFERENCE: Run_Kind.KIND_REFERENCE,
  MAIN: Run_Kind.KIND_MAIN,
  IMPORTED: Run_Kind.KIND_IMPORTED,
};

export function toRun(record: RunRecord): Run {
  return {
    name: `runs/${record.id}`,
    uid: record.uid,
    etag: record.etag,
    kind: kinds[record.kind],
    state: states[record.state],
    spec: toSpec(record.spec),
    dataMap: record.dataMap === undefined ? '' : `dataMaps/${record.dataMap}`,
    earlyStopping: toEarlyStopping(record.earlyStopping),
    attempt: record.attempt,
    progress: toProgress(record.progress),
    cost: toCost(record.cost),
    evaluations: record.evaluations.map(toEvaluation),
    error: record.error && toStatus(record.error),
    labels: record.labels,
    createTime: toDate(record.createTime),
    startTime: toDate(record.startTime),
    endTime: toDate(record.endTime),
    updateTime: toDate(record.updateTime),
    expireTime: toDate(record.expireTime),
    queuePosition: record.queuePosition,
    modelUri: record.modelUri ?? '',
    method: toMethod(record.method),
    warnings: (record.warnings ?? []).map(toWarning),
    costEstimate: toCostEstimate(record.costEstimate),
    methodCost: toMethodCost(record.methodCost),
  };
}

function toSpec(spec: TrainingSpec): WireSpec {
  const {executionTimeoutMs, ...same} = spec;
  return {
    ...same,
    dataset: spec.dataset === '' ? '' : `datasets/${spec.dataset}`,
    precision: Precision[`PRECISION_${spec.precision}`],
    executionTimeout: toDuration(executionTimeoutMs),
    discardLogits: spec.discardLogits ?? false,
    testSplits: spec.testSplits ?? [],
    scheduleSpan: ScheduleSpan[`SCHEDULE_SPAN_${spec.scheduleSpan ?? 'STEP_BUDGET'}`],
  };
}

function toProgress({estimatedRemainingMs, ...same}: RunProgress): WireProgress {
  return {...same, estimatedRemaining: toDuration(estimatedRemainingMs), trainLoss: same.trainLoss};
}

export function toWarning({code, message, steps}: RunWarning): WireWarning {
  return {code: RunWarning_Code[`CODE_${code}`], message, steps};
}

export function toEvaluation({isOutOfDistribution, classCounts = [], ...same}: Evaluation): WireEvaluation {
  return {
    ...same,
    outOfDistribution: isOutOfDistribution,
    calibrationError: same.calibrationError,
    accuracyInterval: same.accuracyInterval,
    classCounts: classCounts.map(({gold, predicted, correct}) => ({
      goldCount: gold,
      predictedCount: predicted,
      correctCount: correct,
    })),
  };
}
