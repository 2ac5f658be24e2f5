// ftft build-data-map: a run's dynamics → a data map, its diagnostics in words, and on demand its picture and its lines.
import {writeFile} from 'node:fs/promises';
import {type Command, InvalidArgumentError} from 'commander';
import {
  DataMap,
  type EpochRange,
  InstanceMetric,
  MetricCriterion_Order,
  Region,
  type Selection,
  Selection_Rule,
  VariabilityEstimator,
} from '../server/gen/ftft/v1/data_map.js';
import {resourceName} from './connect.js';
import {readColumns, writeJsonLines} from './data-map-columns.js';
import {drawDataMap} from './data-map-picture.js';
import {describeDataMap} from './data-map-words.js';
import type {Io} from './io.js';
import {wrongUsage} from './report-error.js';
import {type ClientOptions, choice, integer, positive, print, verb, withClient} from './verb.js';

interface MapOptions extends ClientOptions {
  region?: Region;
  metric?: InstanceMetric;
  lowestFirst?: boolean;
  fraction?: number;
  rule?: Selection_Rule;
  seed?: number;
  estimator?: VariabilityEstimator;
  epochs?: EpochRange;
  dataMapId?: string;
  requestId?: string;
  validateOnly?: boolean;
  svg?: string;
  jsonl?: string;
}

/** UPPER_SNAKE enum of the contract → the words of the command line. */
function words<T extends number>(enumeration: Record<string, string | number>, prefix: string): Record<string, T> {
  const named = Object.entries(enumeration).filter(
    ([name, value]) => typeof value === 'number' && value > 0 && name.startsWith(prefix),
  );
  return Object.fromEntries(
    named.map(([name, value]) => [name.slice(prefix.length).toLowerCase().replaceAll('_', '-'), value as T]),
  );
}

const regions = words<Region>(Region, 'REGION_');
const metrics = words<InstanceMetric>(InstanceMetric, 'INSTANCE_METRIC_');
const rules = words<Selection_Rule>(Selection_Rule, 'RULE_');
const estimators = words<VariabilityEstimator>(VariabilityEstimator, 'VARIABILITY_ESTIMATOR_');
const oneOf = (choices: Record<string, number>) => Object.keys(choices).join(', ');

export function addBuildDataMap(program: Command, io: Io): void {
  verb(program, 'build-data-map', 'Build a data map of a run and select instances on it', io, [
    'ftft build-data-map my-reference --svg map.svg --jsonl map.jsonl',
    'ftft build-data-map my-reference --region random --fraction 0.33 --seed 1',
  ])
    .argument('<run>', 'reference run')
    .option('--region <region>', `${oneOf(regions)} (server default ambiguous)`, choice(regions))
    .option('--metric <metric>', `instead of a region, one end of a ranking: ${oneOf(metrics)}`, choice(metrics))
    .option('--lowest-first', 'the low end of the metric')
    .option('--fraction <share>', 'share of the instances to select (server default 0.33)', positive(1))
    .option('--rule <rule>', `${oneOf(rules)} (server default upstream-quantile)`, choice(rules))
    .option('--seed <n>', 'seed of the random region', integer(0, 2 ** 32 - 1))
    .option('--estimator <estimator>', `${oneOf(estimators)} (server default sample-stddev)`, choice(estimators))
    .option('--epochs <first-last>', 'epochs to use, counted from 0; all committed ones when left out', epochRange)
    .option('--data-map-id <id>', "last part of the map's name; made from its digest when left out")
    .option('--request-id <uuid>', 'the same id twice makes one map')
    .option('--validate-only', 'check the request, build nothing')
    .option('--svg <file>', 'draw the map into this file')
    .option('--jsonl <file>', 'write its coordinates as allenai/cartography names them')
    .action((run: string, options: MapOptions) =>
      withClient(options, async client => {
        const {dataMap} = await client.buildDataMap(
          {
            dataMapId: options.dataMapId,
            run: resourceName('runs', run),
            epochs: options.epochs,
            variabilityEstimator: options.estimator,
            selection: toSelection(options),
            requestId: options.requestId,
            validateOnly: options.validateOnly,
          },
          {signal: io.signal},
        );
        const map = dataMap!;
        if ((options.svg || options.jsonl) && !options.validateOnly) {
          const columns = await readColumns(client, map.name, io.signal);
          if (options.jsonl) await writeJsonLines(columns, options.jsonl);
          if (options.svg) {
            const {spec} = await client.getRun({name: map.run}, {signal: io.signal});
            await writeFile(options.svg, await drawDataMap(map, spec, columns));
          }
        }
        print(io, options, DataMap.toJSON(map), () => describeDataMap(map));
      }),
    );
}

function toSelection(options: MapOptions): Partial<Selection> {
  const {region, metric, lowestFirst, fraction, rule, seed} = options;
  if (region !== undefined && metric !== undefined) throw wrongUsage('Give --region or --metric, not both');
  const order = lowestFirst ? MetricCriterion_Order.ORDER_LOWEST_FIRST : MetricCriterion_Order.ORDER_HIGHEST_FIRST;
  let criterion: Selection['criterion'];
  if (region !== undefined) criterion = {$case: 'region', value: region};
  if (metric !== undefined) criterion = {$case: 'metric', value: {metric, order}};
  return {criterion, fraction, rule, seed};
}

function epochRange(text: string): EpochRange {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  if (first === undefined) throw new InvalidArgumentError('It must be first-last, such as 0-3.');
  return {first: Number(first), last: Number(last)};
}
