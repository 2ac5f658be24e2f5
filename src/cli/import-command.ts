// ftft import: files → one split of a dataset.
import type {Command} from 'commander';
import {
  type ClassLabel,
  type FileFormat,
  type ImportDatasetHeader,
  ImportDatasetResponse,
  type RowFilter,
} from '../server/gen/ftft/v1/dataset.js';
import type {DeepPartial} from '../server/gen/ftft/v1/ftft_service.js';
import {resourceName} from './connect.js';
import {count} from './format.js';
import {fileFormats, formatOfFile, importFiles, readBytes} from './import-file.js';
import type {Io} from './io.js';
import {wrongUsage} from './report-error.js';
import {type ClientOptions, choice, list, print, verb, withClient} from './verb.js';

interface ImportOptions extends ClientOptions {
  text: string;
  textPair?: string;
  label: string;
  id?: string;
  classes?: string[];
  where?: RowFilter[];
  ood?: boolean;
  format?: FileFormat;
  header: boolean;
  validateOnly?: boolean;
}

export function addImport(program: Command, io: Io): void {
  verb(program, 'import', 'Import files as one split of a dataset', io, [
    'ftft import reviews train train.jsonl.gz --text text --label label --id uid --classes negative,positive',
    'ftft import nli train train.tsv --text premise --text-pair hypothesis --label gold --classes "entailment=e|0,neutral=n|1,contradiction=c|2"',
    'ftft import hate dev all.csv --text text --label label --classes nothate,hate --where split=dev --where "label!=unsure"',
  ])
    .argument('<dataset>', 'dataset to add to; made by its first import')
    .argument('<split>', 'name of the split, such as train, test or ood_tweets')
    .argument('<files...>', 'JSONL, CSV, TSV or Parquet, packed with gzip or zstd or not; - is standard input')
    .option('--text <column>', 'JSON key, header cell, or position from 0 of the text', 'text')
    .option('--label <column>', 'the same of the gold label', 'label')
    .option('--text-pair <column>', 'the same of the second text of a pair')
    .option('--id <column>', "the same of the instance's own id; its position when left out")
    .option('--classes <names>', 'classes in index order, name or name=alias|alias; needed by the first import', list)
    .option('--where <column=value>', 'import only rows with one of the values, a|b, or != for all others', filters)
    .option('--ood', 'the split is out of distribution')
    .option('--format <format>', 'jsonl, csv, tsv or parquet; by default what the file says', choice(fileFormats))
    .option('--no-header', 'the CSV or TSV file begins with data, not with column names')
    .option('--validate-only', 'check the whole file, keep nothing')
    .action((dataset: string, split: string, files: string[], options: ImportOptions) =>
      withClient(options, async client => {
        const header: DeepPartial<ImportDatasetHeader> = {
          dataset: resourceName('datasets', dataset),
          split,
          outOfDistribution: options.ood,
          format: options.format ?? (await formatOfAll(files)),
          noHeaderRow: !options.header,
          columns: {text: options.text, textPair: options.textPair, label: options.label, id: options.id},
          filters: options.where,
          classLabels: (options.classes ?? []).map(classLabel),
          validateOnly: options.validateOnly,
        };
        const sources = files.map(name => ({name, bytes: readBytes(name, io.stdin)}));
        const response = await importFiles(client, header, sources, io.signal);
        for (const warning of response.warnings) io.stderr.write(`warning: ${warning}\n`);
        print(io, options, ImportDatasetResponse.toJSON(response), () => describe(response, options.validateOnly));
      }),
    );
}

/** One for all files of a split. */
export async function formatOfAll(files: string[]): Promise<FileFormat> {
  const formats = await Promise.all(files.map(file => (file === '-' ? undefined : formatOfFile(file))));
  const unknown = files.find((_, i) => formats[i] === undefined);
  const choices = Object.keys(fileFormats).join(', ');
  if (unknown !== undefined)
    throw wrongUsage(`Cannot tell the format of ${unknown} by its name; say --format: ${choices}`);
  const [format] = formats;
  if (formats.some(other => other !== format)) throw wrongUsage('The files of a split must have one format');
  return format!;
}

/** `entailment=e|0` → its name and other spellings. */
export function classLabel(text: string): ClassLabel {
  const [name, ...rest] = text.split('=');
  return {name, aliases: rest.length === 0 ? [] : rest.join('=').split('|')};
}

/** `split=dev|test`, or `label!=unsure`; may be given more than once. */
export function filters(text: string, before: RowFilter[] | undefined): RowFilter[] {
  const [, column, operator, values] = /^([^=]+?)(!?=)(.*)$/s.exec(text) ?? [];
  if (column === undefined) throw wrongUsage(`Cannot read --where ${text}: it must be column=value or column!=value`);
  return [...(before ?? []), {column, values: values.split('|'), exclude: operator === '!='}];
}

export function describe({dataset, split}: ImportDatasetResponse, validateOnly?: boolean): string {
  const classes = (split?.classCounts ?? []).map((n, i) => `${dataset?.classNames[i] ?? i} ${count(n)}`).join(', ');
  const kind = split?.outOfDistribution ? ', out of distribution' : '';
  const done = validateOnly ? 'would import' : 'imported';
  return `${done} ${dataset?.name}, split ${split?.name}: ${count(split?.instanceCount ?? 0)} instances (${classes})${kind}`;
}
