// What a request says of early stopping → all of it, every default filled in; what is wrong with it becomes violations.
import {defaultSplits} from '../pipeline/early-stopping.js';
import {type FieldRules, shown} from './field-rules.js';
import type {DatasetRecord, RunEarlyStopping, TrainingSpec} from './types.js';

const maxInt32 = 2 ** 31 - 1;
const defaults = {metric: 'accuracy', aggregate: 'mean', patience: 2} as const;

export function planEarlyStopping(
  input: Partial<RunEarlyStopping>,
  {evaluationSplits, evaluationIntervalSteps}: TrainingSpec,
  dataset: DatasetRecord | undefined,
  rules: FieldRules,
): RunEarlyStopping {
  const sets = (dataset?.splits ?? [])
    .map(({name: split, isOutOfDistribution}) => ({split, isOutOfDistribution}))
    .filter(({split}) => evaluationSplits.includes(split));
  const stopping: RunEarlyStopping = {
    metric: input.metric ?? defaults.metric,
    aggregate: input.aggregate ?? defaults.aggregate,
    patience: input.patience ?? defaults.patience,
    splits: input.splits ?? defaultSplits(sets),
    evaluationIntervalSteps: input.evaluationIntervalSteps ?? evaluationIntervalSteps,
  };
  rules.integer('early_stopping.patience', stopping.patience, 1, maxInt32);
  rules.integer('early_stopping.evaluation_interval_steps', stopping.evaluationIntervalSteps, 1, maxInt32);
  const repeated = stopping.splits.find((name, i) => stopping.splits.indexOf(name) !== i);
  if (repeated !== undefined)
    rules.violate('early_stopping.splits', `must name each split once, ${shown(repeated)} is twice in it`);
  stopping.splits.forEach((name, i) => {
    if (!evaluationSplits.includes(name))
      rules.violate(
        `early_stopping.splits[${i}]`,
        `must be one of spec.evaluation_splits (${evaluationSplits.join(', ')}), current value is ${shown(name)}`,
      );
  });
  if (dataset && stopping.splits.length === 0)
    rules.violate('early_stopping', 'needs a split to watch, there is none but the train split');
  return stopping;
}
