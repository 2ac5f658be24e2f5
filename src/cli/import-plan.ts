// Splits and where they lie → imports, one after the other; each is whole or nothing.

import {readConfig} from '../config.js';
import type {FileFormat} from '../server/gen/ftft/v1/dataset.js';
import {type ImportDatasetHeader, ImportDatasetResponse} from '../server/gen/ftft/v1/dataset.js';
import type {DeepPartial, FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {fetchHubDataset} from './hub-dataset.js';
import {describe} from './import-command.js';
import {importFiles, readBytes} from './import-file.js';
import type {Io} from './io.js';
import {wrongUsage} from './report-error.js';
import {type ClientOptions, chatter, print} from './verb.js';

export interface SplitPlan {
  header: DeepPartial<ImportDatasetHeader> & {split: string; format: FileFormat};
  files: string[];
}

export async function importAll(
  client: FtftServiceClient,
  plans: SplitPlan[],
  io: Io,
  options: ClientOptions & {validateOnly?: boolean},
): Promise<void> {
  const responses: ImportDatasetResponse[] = [];
  for (const {header, files} of plans) {
    const sources = files.map(name => ({name, bytes: readBytes(name, io.stdin)}));
    const request = {...header, validateOnly: options.validateOnly};
    const response = await importFiles(client, request, sources, io.signal);
    for (const warning of response.warnings) io.stderr.write(`warning: ${header.split}: ${warning}\n`);
    if (!options.json) io.stdout.write(`${describe(response, options.validateOnly)}\n`);
    responses.push(response);
  }
  if (options.json)
    print(io, options, {imports: responses.map(response => ImportDatasetResponse.toJSON(response))}, () => '');
}

/** All of them, or those that are named. */
export function chosenSplits<T>(all: T[], nameOf: (split: T) => string, wanted: string[] | undefined): T[] {
  if (!wanted) return all;
  return wanted.map(name => {
    const found = all.find(split => nameOf(split) === name);
    if (found) return found;
    throw wrongUsage(`There is no split ${name}; there are ${all.map(nameOf).join(', ')}`);
  });
}

/** owner/name, or owner/name@revision → a folder. */
export async function hubFolder(
  {name, revision, files}: {name: string; revision: string; files: RegExp},
  io: Io,
  options: ClientOptions,
): Promise<string> {
  const {isOffline, hubToken: token, hubUrl} = readConfig(io.env);
  const onFile = (path: string, bytes: number) =>
    chatter(io, options).write(`fetching ${name} ${path} (${(bytes / 1e6).toFixed(1)} MB)\n`);
  return await fetchHubDataset(name, revision, files, {isOffline, token, hubUrl, onFile, signal: io.signal});
}
