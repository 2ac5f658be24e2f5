// ftft export-map: the columns of a data map → coordinates as allenai/cartography has them, CSV or Parquet.
// ftft export-subset: the instances that a data map selects → JSON Lines, in the order of the data set.

import {writeFile} from 'node:fs/promises';
import type {Command} from 'commander';
import {FtftError} from '../errors.js';
import {DataMap} from '../server/gen/ftft/v1/data_map.js';
import type {ColumnMapping} from '../server/gen/ftft/v1/dataset.js';
import type {FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {resourceName} from './connect.js';
import {mapTable, readColumns, writeJsonLines} from './data-map-columns.js';
import {count} from './format.js';
import type {Io} from './io.js';
import {type InstanceColumns, readInstances} from './run-dynamics.js';
import {originalLines} from './source-lines.js';
import {type ClientOptions, print, verb, withClient} from './verb.js';
import {tableFormat, wholeFile, writeTable} from './write-table.js';

export function addExportMap(program: Command, io: Io): void {
  verb(program, 'export-map', 'Write the columns of a data map, one row an instance', io, [
    'ftft export-map map-1f9a coordinates.jsonl',
    'ftft export-map map-1f9a map.parquet',
  ])
    .argument('<data-map>', 'data map')
    .argument(
      '<file>',
      ".jsonl: cartography's data_map_coordinates; .csv or .parquet: the same columns, whether selected, and the map's scores",
    )
    .action((dataMap: string, file: string, options: ClientOptions) =>
      withClient(options, async client => {
        const format = tableFormat(file, ['jsonl', 'csv', 'parquet']);
        const map = await client.getDataMap({name: resourceName('dataMaps', dataMap)}, {signal: io.signal});
        const columns = await readColumns(client, map.name, io.signal, format !== 'jsonl');
        if (format === 'jsonl') await writeJsonLines(columns, file);
        else await writeTable(mapTable(columns), file, format);
        print(
          io,
          options,
          DataMap.toJSON(map),
          () => `${file}: ${count(columns.guids.length)} instances of ${map.name}`,
        );
      }),
    );
}

interface SubsetOptions extends ClientOptions {
  source?: string[];
  header: boolean;
}

export function addExportSubset(program: Command, io: Io): void {
  verb(
    program,
    'export-subset',
    'Write the instances that a data map selects, as records in the order of the data set',
    io,
    [
      'ftft export-subset map-1f9a ambiguous.jsonl',
      'ftft export-subset map-1f9a ambiguous.jsonl --source train.jsonl.gz',
    ],
  )
    .argument('<data-map>', 'data map')
    .argument('<file>', 'JSON Lines file to write: the columns that were imported, under their own names')
    .option(
      '--source <files...>',
      'files that were imported: all their columns are written; of JSONL the lines, byte for byte',
    )
    .option('--no-header', 'the CSV or TSV files of --source begin with data, not with column names')
    .action((dataMap: string, file: string, options: SubsetOptions) =>
      withClient(options, async client => {
        tableFormat(file, ['jsonl']);
        const map = await client.getDataMap({name: resourceName('dataMaps', dataMap)}, {signal: io.signal});
        const {isSelected} = await readColumns(client, map.name, io.signal);
        const columns = await columnsOf(client, map, io.signal);
        const instances = await readInstances(client, map.run, options.source === undefined, io.signal);
        const lines = options.source
          ? await originalLines(options.source, {
              ids: instances.guids,
              isSelected,
              idColumn: columns.mapping.id,
              hasHeaderRow: options.header,
            })
          : records(instances, isSelected, columns);
        await wholeFile(file, temporary => writeFile(temporary, lines));
        const answer = {dataMap: map.name, file, instances: map.selectedCount};
        print(
          io,
          options,
          answer,
          () => `${file}: ${count(map.selectedCount)} of ${count(map.instanceCount)} instances`,
        );
      }),
    );
}

interface Columns {
  mapping: ColumnMapping;
  classNames: string[];
}

/** As the split was imported; the names of the contract where that was not kept. */
async function columnsOf(client: FtftServiceClient, map: DataMap, signal: AbortSignal): Promise<Columns> {
  if (map.dataset === '')
    throw new FtftError(
      'FAILED_PRECONDITION',
      `Cannot export the subset of ${map.name}: its run must be of a data set, it was imported without one`,
      {reason: 'TEXTS_NOT_KNOWN'},
    );
  const dataset = await client.getDataset({name: map.dataset}, {signal});
  const split = dataset.splits.find(({name}) => name === map.trainSplit);
  const mapping = split?.columns ?? {
    text: 'text',
    textPair: dataset.textPairs ? 'text_pair' : '',
    label: 'label',
    id: 'id',
  };
  return {mapping, classNames: dataset.classNames};
}

function* records(
  instances: InstanceColumns,
  isSelected: boolean[],
  {mapping, classNames}: Columns,
): Generator<string> {
  // A position is no name.
  const name = (column: string, other: string) => (/^\d+$/.test(column) ? other : column);
  for (const [i, id] of instances.guids.entries()) {
    if (!isSelected[i]) continue;
    const record = [
      [name(mapping.id, 'id'), id] as const,
      [name(mapping.text, 'text'), instances.texts[i]] as const,
      [name(mapping.textPair, 'text_pair'), instances.textPairs[i]] as const,
      [name(mapping.label, 'label'), classNames[instances.labels[i]]] as const,
    ];
    yield `${JSON.stringify(Object.fromEntries(record.filter(([column]) => column !== '')))}\n`;
  }
}
