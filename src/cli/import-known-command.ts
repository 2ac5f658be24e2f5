// ftft import-known: MNLI, ANLI, CAD or DynaHate by name → its splits, from the files as they are handed round or from the hub.
import {join} from 'node:path';
import type {Command} from 'commander';
import {resourceName} from './connect.js';
import {filesBelow} from './dataset-folder.js';
import {chosenSplits, hubFolder, importAll, type SplitPlan} from './import-plan.js';
import type {Io} from './io.js';
import {type KnownDataset, knownDatasets, type Layout} from './known-datasets.js';
import {wrongUsage} from './report-error.js';
import {type ClientOptions, choice, list, verb, withClient} from './verb.js';

interface KnownOptions extends ClientOptions {
  from?: string;
  dataset?: string;
  splits?: string[];
  validateOnly?: boolean;
}

export function addImportKnown(program: Command, io: Io): void {
  const names = Object.keys(knownDatasets);
  const about = names.map(name => {
    const {title, dataset, layouts} = knownDatasets[name];
    return `  ${name}: ${title}, into ${dataset}; from ${layouts.map(layout => layout.title).join('; or ')}`;
  });
  verb(program, 'import-known', "Import a data set of FTFT's experiments by its name", io, [
    'ftft import-known mnli --from ~/glue/MNLI',
    'ftft import-known anli',
  ])
    .argument('<name>', names.join(', '), choice(knownDatasets))
    .option('--from <folder>', 'folder that holds its files; without it they are fetched from the hub')
    .option('--dataset <id>', 'dataset to add to: nli for MNLI and ANLI, hate for CAD and DynaHate when left out')
    .option('--splits <names>', 'only these', list)
    .option('--validate-only', 'check all files, keep nothing')
    .addHelpText('after', `\nData sets:\n${about.join('\n')}`)
    .action((known: KnownDataset, options: KnownOptions) =>
      withClient(options, async client => {
        const folder = options.from ?? (await fetched(known, io, options));
        await importAll(client, plansOf(known, folder, await filesBelow(folder), options), io, options);
      }),
    );
}

async function fetched({hub, title, elsewhere}: KnownDataset, io: Io, options: ClientOptions): Promise<string> {
  if (!hub) throw wrongUsage(`Cannot import ${title}: ${elsewhere}`);
  return await hubFolder(hub, io, options);
}

/** Splits whose files are there; all that were asked for must be. */
function plansOf(known: KnownDataset, folder: string, files: string[], options: KnownOptions): SplitPlan[] {
  const isThere = ({file}: {file: RegExp}) => files.some(path => file.test(path));
  const layout = known.layouts.find(({splits}) => splits.some(isThere));
  if (!layout) {
    const expected = known.layouts.map(({title}) => title).join('; or ');
    throw wrongUsage(`Cannot import ${known.title} from ${folder}: expected ${expected}; found none of these files`);
  }
  const there = layout.splits.filter(
    split => isThere(split) && (!split.isOptional || options.splits?.includes(split.split)),
  );
  return chosenSplits(there, ({split}) => split, options.splits).map(split =>
    planOf(known, layout, split, folder, files, options),
  );
}

function planOf(
  known: KnownDataset,
  {format, noHeaderRow, columns, filters = []}: Layout,
  {split, file, outOfDistribution, filters: more = []}: Layout['splits'][number],
  folder: string,
  files: string[],
  {dataset = known.dataset}: KnownOptions,
): SplitPlan {
  const found = files.filter(path => file.test(path));
  const folders = new Set(found.map(path => path.slice(0, path.lastIndexOf('/') + 1)));
  if (folders.size > 1 || (found.length > 1 && !/\d+-of-\d+\.|\/\d+\.parquet$/.test(found[0])))
    throw wrongUsage(
      `Cannot import split ${split}: expected one copy of its files, found ${found.join(', ')}; name a folder with one`,
    );
  return {
    header: {
      ...{dataset: resourceName('datasets', dataset), split, outOfDistribution, format, noHeaderRow, columns},
      filters: [...filters, ...more],
      classLabels: known.classLabels,
    },
    files: found.map(path => join(folder, path)),
  };
}
