// What only a main run has, method and early stopping: messages ⇄ records.
import type {Method as MethodName} from '../pipeline/methods.js';
import type {MainCreation} from '../runs/api.js';
import type {RunEarlyStopping} from '../runs/types.js';
import {EarlyStopping, EarlyStopping_Aggregate, EarlyStopping_Metric, Method} from './gen/ftft/v1/run.js';
import type {RequestChecks} from './request-checks.js';

const methods: Record<MethodName, Method> = {
  erm: Method.METHOD_ERM,
  'data-map': Method.METHOD_DATA_MAP,
  ftft: Method.METHOD_FTFT,
  random: Method.METHOD_RANDOM,
  'hard-to-learn': Method.METHOD_HARD_TO_LEARN,
};

const metrics: Record<RunEarlyStopping['metric'], EarlyStopping_Metric> = {
  accuracy: EarlyStopping_Metric.METRIC_ACCURACY,
  'macro-f1': EarlyStopping_Metric.METRIC_MACRO_F1,
  loss: EarlyStopping_Metric.METRIC_LOSS,
};

const aggregates: Record<RunEarlyStopping['aggregate'], EarlyStopping_Aggregate> = {
  mean: EarlyStopping_Aggregate.AGGREGATE_MEAN,
  worst: EarlyStopping_Aggregate.AGGREGATE_WORST,
};

export const toMethod = (method: MethodName | undefined): Method =>
  method === undefined ? Method.METHOD_UNSPECIFIED : methods[method];

/** undefined where it is left out. */
export const fromMethod = (value: Method, checks: RequestChecks): MethodName | undefined =>
  chosen('method', methods, value, checks);

export function toEarlyStopping(stopping: RunEarlyStopping | undefined): EarlyStopping | undefined {
  if (!stopping) return undefined;
  const {metric, aggregate, ...same} = stopping;
  return EarlyStopping.fromPartial({...same, metric: metrics[metric], aggregate: aggregates[aggregate]});
}

/** Shapes only; runs/ judges the numbers and fills in what is left out. */
export function fromEarlyStopping(
  message: EarlyStopping | undefined,
  checks: RequestChecks,
): MainCreation['earlyStopping'] {
  if (!message) return undefined;
  const {splits, patience, evaluationIntervalSteps} = message;
  splits.forEach((split, index) => {
    checks.split(`early_stopping.splits[${index}]`, split);
  });
  const given = {
    metric: chosen('early_stopping.metric', metrics, message.metric, checks),
    aggregate: chosen('early_stopping.aggregate', aggregates, message.aggregate, checks),
    splits: splits.length > 0 ? splits : undefined,
    patience: patience || undefined,
    evaluationIntervalSteps: evaluationIntervalSteps || undefined,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** The name of an enum's value; undefined for its zero. */
function chosen<T extends string>(
  field: string,
  values: Record<T, number>,
  value: number,
  checks: RequestChecks,
): T | undefined {
  if (value === 0) return undefined;
  const names = Object.fromEntries(Object.entries(values).map(([name, number]) => [number, name])) as Record<number, T>;
  return checks.choice(field, names, value);
}
