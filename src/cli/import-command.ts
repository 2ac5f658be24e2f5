// ftft import: one file → one split of a dataset.
import type {Command} from 'commander';
import {type ClassLabel, FileFormat, ImportDatasetResponse} from '../server/gen/ftft/v1/dataset.js';
import {resourceName} from './connect.js';
import {count} from './format.js';
import {formatOfName, importBytes, readBytes} from './import-file.js';
import type {Io} from './io.js';
import {wrongUsage} from './report-error.js';
import {type ClientOptions, choice, list, print, verb, withClient} from './verb.js';

interface ImportOptions extends ClientOptions {
  text: string;
  textPair?: string;
  label: string;
  id?: string;
  classes?: string[];
  ood?: boolean;
  format?: FileFormat;
  header: boolean;
  validateOnly?: boolean;
}

export function addImport(program: Command, io: Io): void {
  verb(program, 'import', 'Import one file as one split of a dataset', io, [
    'ftft import reviews train train.jsonl.gz --text text --label label --id uid --classes negative,positive',
    'ftft import nli train train.tsv --text premise --text-pair hypothesis --label gold --classes "entailment=e|0,neutral=n|1,contradiction=c|2"',
  ])
    .argument('<dataset>', 'dataset to add to; made by its first import')
    .argument('<split>', 'name of the split, such as train, test or ood_tweets')
    .argument('<file>', 'JSONL, CSV or TSV file, .gz or not; - is standard input')
    .requiredOption('--text <column>', 'JSON key, header cell, or position from 0 of the text')
    .requiredOption('--label <column>', 'the same of the gold label')
    .option('--text-pair <column>', 'the same of the second text of a pair')
    .option('--id <column>', "the same of the instance's own id; its position when left out")
    .option('--classes <names>', 'classes in index order, name or name=alias|alias; needed by the first import', list)
    .option('--ood', 'the split is out of distribution')
    .option('--format <format>', 'jsonl, csv or tsv; by default what the file name ends in', choice(formats))
    .option('--no-header', 'the CSV or TSV file begins with data, not with column names')
    .option('--validate-only', 'check the whole file, keep nothing')
    .action((dataset: string, split: string, file: string, options: ImportOptions) =>
      withClient(options, async client => {
        const format = options.format ?? formatOfName(file);
        if (format === undefined)
          throw wrongUsage(`Cannot tell the format of ${file} by its name; say --format jsonl, csv or tsv`);
        const header = {
          dataset: resourceName('datasets', dataset),
          split,
          outOfDistribution: options.ood,
          format,
          noHeaderRow: !options.header,
          columns: {text: options.text, textPair: options.textPair, label: options.label, id: options.id},
          classLabels: (options.classes ?? []).map(classLabel),
          validateOnly: options.validateOnly,
        };
        const response = await importBytes(client, header, readBytes(file, io.stdin), io.signal);
        for (const warning of response.warnings) io.stderr.write(`warning: ${warning}\n`);
        print(io, options, ImportDatasetResponse.toJSON(response), () => describe(response, options.validateOnly));
      }),
    );
}

const formats = {
  jsonl: FileFormat.FILE_FORMAT_JSONL,
  csv: FileFormat.FILE_FORMAT_CSV,
  tsv: FileFormat.FILE_FORMAT_TSV,
};

/** `entailment=e|0` → its name and other spellings. */
export function classLabel(text: string): ClassLabel {
  const [name, ...rest] = text.split('=');
  return {name, aliases: rest.length === 0 ? [] : rest.join('=').split('|')};
}

function describe({dataset, split}: ImportDatasetResponse, validateOnly?: boolean): string {
  const classes = (split?.classCounts ?? []).map((n, i) => `${dataset?.classNames[i] ?? i} ${count(n)}`).join(', ');
  const kind = split?.outOfDistribution ? ', out of distribution' : '';
  const done = validateOnly ? 'would import' : 'imported';
  return `${done} ${dataset?.name}, split ${split?.name}: ${count(split?.instanceCount ?? 0)} instances (${classes})${kind}`;
}
