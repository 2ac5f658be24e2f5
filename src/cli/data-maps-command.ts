// ftft data-maps: the data maps that the server keeps.
import Table from 'cli-table3';
import type {Command} from 'commander';
import type {DataMap} from '../server/gen/ftft/v1/data_map.js';
import {ListDataMapsResponse} from '../server/gen/ftft/v1/ftft_service.js';
import {resourceName} from './connect.js';
import {count} from './format.js';
import type {Io} from './io.js';
import {type ClientOptions, integer, print, verb, withClient} from './verb.js';

interface ListOptions extends ClientOptions {
  limit: number;
  run?: string;
}

export function addDataMaps(program: Command, io: Io): void {
  verb(program, 'data-maps', 'List data maps, newest first', io, [
    'ftft data-maps',
    'ftft data-maps --run my-reference',
  ])
    .option('--run <run>', 'only those made of this run')
    .option('--limit <n>', 'most data maps to list', integer(1), 50)
    .action((options: ListOptions) =>
      withClient(options, async client => {
        const run = options.run === undefined ? '' : resourceName('runs', options.run);
        const dataMaps: DataMap[] = [];
        let pageToken = '';
        do {
          const pageSize = Math.min(1000, options.limit - dataMaps.length);
          const page = await client.listDataMaps({pageSize, pageToken, run}, {signal: io.signal});
          dataMaps.push(...page.dataMaps);
          pageToken = page.nextPageToken;
        } while (pageToken && dataMaps.length < options.limit);
        const message = ListDataMapsResponse.toJSON({dataMaps, nextPageToken: pageToken});
        print(io, options, message, () => mapTable(dataMaps));
      }),
    );
}

function mapTable(maps: DataMap[]): string {
  if (maps.length === 0) return 'No data maps yet; make one with: ftft build-data-map';
  const table = new Table({
    head: ['data map', 'run', 'epochs', 'selected', 'instances', 'created'],
    style: {head: [], border: []},
    colAligns: ['left', 'left', 'left', 'right', 'right', 'left'],
  });
  for (const {name, run, epochs, selectedCount, instanceCount, createTime} of maps)
    table.push([
      name,
      run,
      epochs ? `${epochs.first}-${epochs.last}` : '',
      count(selectedCount),
      count(instanceCount),
      createTime?.toISOString().slice(0, 16).replace('T', ' ') ?? '',
    ]);
  return table.toString();
}
