// ftft build-data-map: a run's dynamics → a data map, its diagnostics in words, and on demand its picture and its lines.
// ftft compare-data-maps: two of them → what they have in common.
import {writeFile} from 'node:fs/promises';
import {type Command, InvalidArgumentError} from 'commander';
import {
  CompareDataMapsResponse,
  DataMap,
  type EpochRange,
  type InstanceMetric,
  VariabilityEstimator,
} from '../server/gen/ftft/v1/data_map.js';
import {resourceName} from './connect.js';
import {readColumns, writeJsonLines} from './data-map-columns.js';
import {drawDataMap} from './data-map-picture.js';
import {describeComparison, describeDataMap} from './data-map-words.js';
import {oneOf, words} from './enum-words.js';
import type {Io} from './io.js';
import {choices, metrics, type SelectionOptions, toSelection, withSelection} from './selection-options.js';
import {type ClientOptions, choice, integer, print, verb, withClient} from './verb.js';

interface MapOptions extends ClientOptions, SelectionOptions {
  estimator?: VariabilityEstimator;
  epochs?: EpochRange;
  burnOut?: number;
  metrics?: InstanceMetric[];
  scoreWindow?: number;
  dataMapId?: string;
  requestId?: string;
  validateOnly?: boolean;
  svg?: string;
  jsonl?: string;
}

const estimators = words<VariabilityEstimator>(VariabilityEstimator, 'VARIABILITY_ESTIMATOR_');

export function addBuildDataMap(program: Command, io: Io): void {
  const command = verb(program, 'build-data-map', 'Build a data map of a run and select instances on it', io, [
    'ftft build-data-map my-reference --svg map.svg --jsonl map.jsonl',
    'ftft build-data-map my-reference --region random --fraction 0.33 --seed 1',
    'ftft build-data-map my-reference --metric el2n --rule rank --count 500 --class-balance equal',
  ]);
  withSelection(command.argument('<run>', 'reference run'))
    .option('--estimator <estimator>', `${oneOf(estimators)} (server default sample-stddev)`, choice(estimators))
    .option('--epochs <first-last>', 'epochs to use, counted from 0; all committed ones when left out', epochRange)
    .option('--burn-out <n>', 'use the first epochs only, this many', integer(1))
    .option('--metrics <metrics>', 'scores to keep as columns, apart by commas', choices(metrics))
    .option('--score-window <n>', 'epochs of a window of dyn-unc, dual and tdds (server default 10)', integer(2))
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
            burnOut: options.burnOut,
            metrics: options.metrics,
            scoreWindow: options.scoreWindow,
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

export function addCompareDataMaps(program: Command, io: Io): void {
  verb(program, 'compare-data-maps', 'Compare two data maps of the same instances', io, [
    'ftft compare-data-maps map-of-a-small-reference map-of-a-large-one',
  ])
    .argument('<data-map>', 'first map')
    .argument('<other>', 'second map, such as that of another reference')
    .action((dataMap: string, other: string, options: ClientOptions) =>
      withClient(options, async client => {
        const names = {dataMap: resourceName('dataMaps', dataMap), otherDataMap: resourceName('dataMaps', other)};
        const comparison = await client.compareDataMaps(names, {signal: io.signal});
        print(io, options, CompareDataMapsResponse.toJSON(comparison), () => describeComparison(comparison));
      }),
    );
}

function epochRange(text: string): EpochRange {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  if (first === undefined) throw new InvalidArgumentError('It must be first-last, such as 0-3.');
  return {first: Number(first), last: Number(last)};
}
