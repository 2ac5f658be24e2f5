// ftft import-folder: a folder, or a data set of the hub, in the hub's layout → all its splits.
import {join} from 'node:path';
import type {Command} from 'commander';
import type {RowFilter} from '../server/gen/ftft/v1/dataset.js';
import {resourceName} from './connect.js';
import {type DatasetFolder, readDatasetFolder} from './dataset-folder.js';
import {classLabel, filters, formatOfAll} from './import-command.js';
import {chosenSplits, hubFolder, importAll, type SplitPlan} from './import-plan.js';
import type {Io} from './io.js';
import {wrongUsage} from './report-error.js';
import {type ClientOptions, list, verb, withClient} from './verb.js';

interface FolderOptions extends ClientOptions {
  config?: string;
  splits?: string[];
  ood?: string[];
  text: string;
  textPair?: string;
  label: string;
  id?: string;
  classes?: string[];
  where?: RowFilter[];
  validateOnly?: boolean;
}

/** What a folder in the hub's layout is read from. */
const datasetFiles = /(^|\/)README\.md$|\.(jsonl?|ndjson|csv|tsv|parquet)(\.(gz|zst))?$/i;

export function addImportFolder(program: Command, io: Io): void {
  verb(program, 'import-folder', 'Import all splits of a folder in the layout of the Hugging Face hub', io, [
    'ftft import-folder reviews ./imdb --ood test',
    'ftft import-folder reviews hub:stanfordnlp/imdb --splits train,test',
  ])
    .argument('<dataset>', 'dataset to add to; made by its first import')
    .argument(
      '<folder>',
      'folder with README.md, data/train-00000-of-00001.parquet and the like; or hub:OWNER/NAME[@REVISION]',
    )
    .option('--config <name>', 'which of several data sets in it, as README.md names them')
    .option('--splits <names>', 'only these, as the folder names them', list)
    .option('--ood <splits>', 'splits that are out of distribution', list)
    .option('--text <column>', 'column of the text', 'text')
    .option('--label <column>', 'column of the gold label', 'label')
    .option('--text-pair <column>', 'column of the second text of a pair')
    .option('--id <column>', "column of the instance's own id; its position when left out")
    .option(
      '--classes <names>',
      'classes in index order, name or name=alias|alias; by default those in README.md',
      list,
    )
    .option('--where <column=value>', 'import only rows with one of the values, a|b, or != for all others', filters)
    .option('--validate-only', 'check all files, keep nothing')
    .action((dataset: string, source: string, options: FolderOptions) =>
      withClient(options, async client => {
        const folder = await folderOf(source, io, options);
        const found = await readDatasetFolder(folder, options.config);
        await importAll(client, await plansOf(dataset, folder, found, options), io, options);
      }),
    );
}

async function folderOf(source: string, io: Io, options: ClientOptions): Promise<string> {
  if (!source.startsWith('hub:')) return source;
  const [, name, revision = 'main'] = /^hub:([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/.exec(source) ?? [];
  if (name === undefined)
    throw wrongUsage(`Cannot import ${source}: it must be hub:OWNER/NAME or hub:OWNER/NAME@REVISION`);
  return await hubFolder({name, revision, files: datasetFiles}, io, options);
}

async function plansOf(
  dataset: string,
  folder: string,
  {splits, classNames}: DatasetFolder,
  options: FolderOptions,
): Promise<SplitPlan[]> {
  const {text, textPair, label, id, ood = []} = options;
  const unknown = ood.find(name => !splits.some(split => split.name === name));
  if (unknown !== undefined)
    throw wrongUsage(
      `--ood must name splits of the folder, ${splits.map(({name}) => name).join(', ')}; it names ${unknown}`,
    );
  const described = classNames.get(label)?.map((name, index) => ({name, aliases: [String(index)]}));
  const classLabels = options.classes?.map(classLabel) ?? described ?? [];
  const chosen = chosenSplits(splits, ({name}) => name, options.splits);
  return await Promise.all(
    chosen.map(async ({name, files}) => {
      const paths = files.map(file => join(folder, file));
      return {
        header: {
          dataset: resourceName('datasets', dataset),
          split: splitName(name),
          outOfDistribution: ood.includes(name),
          format: await formatOfAll(paths),
          columns: {text, textPair, label, id},
          filters: options.where,
          classLabels,
        },
        files: paths,
      };
    }),
  );
}

/** The hub allows dots, capitals and dashes. */
function splitName(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  return /^[a-z]/.test(plain) ? plain : `split_${plain}`;
}
