// Options that only a main run has → EarlyStopping and Method of the contract.
import type {Command} from 'commander';
import type {DeepPartial} from '../server/gen/ftft/v1/ftft_service.js';
import {type EarlyStopping, EarlyStopping_Aggregate, EarlyStopping_Metric, Method} from '../server/gen/ftft/v1/run.js';
import {wrongUsage} from './report-error.js';
import {choice, integer, list} from './verb.js';

export interface EarlyStoppingOptions {
  earlyStopping?: boolean;
  patience?: number;
  watch?: string[];
  watchMetric?: EarlyStopping_Metric;
  watchAggregate?: EarlyStopping_Aggregate;
}

export const methods = {
  erm: Method.METHOD_ERM,
  'data-map': Method.METHOD_DATA_MAP,
  ftft: Method.METHOD_FTFT,
  random: Method.METHOD_RANDOM,
  'hard-to-learn': Method.METHOD_HARD_TO_LEARN,
};

const metrics = {
  accuracy: EarlyStopping_Metric.METRIC_ACCURACY,
  'macro-f1': EarlyStopping_Metric.METRIC_MACRO_F1,
  loss: EarlyStopping_Metric.METRIC_LOSS,
};

const aggregates = {mean: EarlyStopping_Aggregate.AGGREGATE_MEAN, worst: EarlyStopping_Aggregate.AGGREGATE_WORST};

export function addEarlyStopping(command: Command): Command {
  return command
    .option('--early-stopping', 'end when evaluations get no better, and keep the weights of the best one')
    .option('--patience <n>', 'evaluations without a new best after which training ends (server default 2)', integer(1))
    .option(
      '--watch <splits>',
      'evaluation splits that are watched, a,b,c; those out of distribution when left out, else all',
      list,
    )
    .option('--watch-metric <metric>', 'accuracy, macro-f1 or loss (server default accuracy)', choice(metrics))
    .option(
      '--watch-aggregate <how>',
      'mean of the watched splits, or the worst (server default mean)',
      choice(aggregates),
    );
}

export function toEarlyStopping(options: EarlyStoppingOptions): DeepPartial<EarlyStopping> | undefined {
  const {earlyStopping, patience, watch: splits, watchMetric: metric, watchAggregate: aggregate} = options;
  const given = {patience, splits, metric, aggregate};
  if (earlyStopping) return given;
  if (Object.values(given).some(value => value !== undefined))
    throw wrongUsage('Give --early-stopping too: --patience and --watch say how, not whether, to stop early');
  return undefined;
}
