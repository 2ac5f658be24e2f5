// TrainingSpec of a request → what runs/ takes: fields left at their zero are left out, so that runs/ fills in the defaults.
import type {TrainingSpecInput} from '../runs/types.js';
import {Precision, ScheduleSpan, type TrainingSpec} from './gen/ftft/v1/run.js';
import type {RequestChecks} from './request-checks.js';

/** Shapes only; runs/ judges the numbers. */
export function fromSpec(spec: TrainingSpec | undefined, checks: RequestChecks): TrainingSpecInput {
  if (!spec) {
    checks.violate('spec', 'is required');
    return {dataset: '', model: ''};
  }
  if (spec.trainSplit !== '') checks.split('spec.train_split', spec.trainSplit);
  spec.evaluationSplits.forEach((split, index) => {
    checks.split(`spec.evaluation_splits[${index}]`, split);
  });
  spec.testSplits.forEach((split, index) => {
    checks.split(`spec.test_splits[${index}]`, split);
  });
  return withoutUndefined({
    dataset: checks.name('spec.dataset', 'datasets', spec.dataset),
    model: checks.required('spec.model', spec.model),
    trainSplit: spec.trainSplit || undefined,
    evaluationSplits: spec.evaluationSplits.length > 0 ? spec.evaluationSplits : undefined,
    testSplits: spec.testSplits.length > 0 ? spec.testSplits : undefined,
    layers: spec.layers || undefined,
    maxLength: spec.maxLength || undefined,
    epochs: spec.epochs || undefined,
    batchSize: spec.batchSize || undefined,
    learningRate: unlessUnset(spec.learningRate),
    warmupRatio: spec.warmupRatio,
    weightDecay: unlessUnset(spec.weightDecay),
    precision: precisionOf(spec.precision, checks),
    seed: spec.seed,
    evaluationIntervalSteps: spec.evaluationIntervalSteps || undefined,
    executionTimeoutMs: checks.duration('spec.execution_timeout', spec.executionTimeout, 1),
    maxAttempts: spec.maxAttempts || undefined,
    priority: spec.priority || undefined,
    discardLogits: spec.discardLogits || undefined,
    scheduleSpan: scheduleSpanOf(spec.scheduleSpan, checks),
  });
}

/** NaN is a value like any other wrong one, not a field left out. */
const unlessUnset = (value: number): number | undefined => (value === 0 ? undefined : value);

function precisionOf(precision: Precision, checks: RequestChecks): TrainingSpecInput['precision'] {
  if (precision === Precision.PRECISION_BFLOAT16) return 'BFLOAT16';
  if (precision === Precision.PRECISION_FLOAT32) return 'FLOAT32';
  if (precision !== Precision.PRECISION_UNSPECIFIED)
    checks.violate('spec.precision', `must be a value of Precision, current value is ${precision}`);
  return undefined;
}

function scheduleSpanOf(span: ScheduleSpan, checks: RequestChecks): TrainingSpecInput['scheduleSpan'] {
  if (span === ScheduleSpan.SCHEDULE_SPAN_UNSPECIFIED) return undefined;
  return checks.choice('spec.schedule_span', scheduleSpans, span);
}

const scheduleSpans: Record<number, TrainingSpecInput['scheduleSpan']> = {
  [ScheduleSpan.SCHEDULE_SPAN_STEP_BUDGET]: 'STEP_BUDGET',
  [ScheduleSpan.SCHEDULE_SPAN_ERM_LENGTH]: 'ERM_LENGTH',
};

/** Spreading defaults under the input must not be undone by keys that hold undefined. */
function withoutUndefined(input: TrainingSpecInput): TrainingSpecInput {
  return Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined),
  ) as unknown as TrainingSpecInput;
}
