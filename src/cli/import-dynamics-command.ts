// ftft import-dynamics: logs of allenai/cartography, or a table of p_true → a run that data maps are built of.
import {readdir, stat} from 'node:fs/promises';
import {basename, join} from 'node:path';
import type {Command} from 'commander';
import {FileFormat} from '../server/gen/ftft/v1/dataset.js';
import {
  DynamicsFormat,
  type ImportDynamicsHeader,
  type ImportDynamicsRequest,
  ImportDynamicsResponse,
} from '../server/gen/ftft/v1/dynamics.js';
import type {DeepPartial} from '../server/gen/ftft/v1/ftft_service.js';
import {resourceName} from './connect.js';
import {count} from './format.js';
import {formatOfFile, readBytes, unfinished} from './import-file.js';
import type {Io} from './io.js';
import {wrongUsage} from './report-error.js';
import {type ClientOptions, keyValue, list, print, verb, withClient} from './verb.js';

interface DynamicsOptions extends ClientOptions {
  dataset?: string;
  trainSplit?: string;
  model?: string;
  classes?: string[];
  dropPartialLastEpoch?: boolean;
  runId?: string;
  requestId?: string;
  label?: Record<string, string>;
  validateOnly?: boolean;
}

type Part = DeepPartial<ImportDynamicsRequest>;
/** What is read, in order: the epoch of a log; none for a table of all epochs. */
type Source = {file: string; epoch?: number};

const logName = /^dynamics_epoch_(\d{1,6})\.jsonl?(\.gz|\.zst)?$/;

export function addImportDynamics(program: Command, io: Io): void {
  verb(program, 'import-dynamics', 'Import training dynamics that were recorded elsewhere, as a run of their own', io, [
    'ftft import-dynamics ./my-model --dataset nli --model roberta-large --classes contradiction,entailment,neutral',
    'ftft import-dynamics p_true.csv --run-id elsewhere',
  ])
    .argument(
      '<paths...>',
      'a folder with dynamics_epoch_<e>.jsonl (or with training_dynamics/ in it), these files, or one table of guid, epoch, p_true (CSV or Parquet)',
    )
    .option(
      '--dataset <dataset>',
      'data set that was trained on, whose ids are the guids; needed to fine-tune on a map',
    )
    .option('--train-split <split>', 'its split (server default train)')
    .option('--model <model>', 'what was trained, for the record')
    .option('--classes <names>', "classes in the order of the logits, where it is not the data set's", list)
    .option('--drop-partial-last-epoch', 'drop a last epoch that lacks instances instead of refusing the import')
    .option('--run-id <id>', "last part of the run's name; made by the server when left out")
    .option('--request-id <uuid>', 'the same id twice makes one run')
    .option('--label <key=value>', 'label of the run; may be given more than once', keyValue)
    .option('--validate-only', 'check everything, keep nothing')
    .action((paths: string[], options: DynamicsOptions) =>
      withClient(options, async client => {
        const sources = await sourcesOf(paths);
        const header = toHeader(options, await formatOf(sources));
        const response = await client.importDynamics(parts(header, sources, io), {signal: io.signal});
        for (const warning of response.warnings) io.stderr.write(`warning: ${warning}\n`);
        print(io, options, ImportDynamicsResponse.toJSON(response), () => describe(response, options.validateOnly));
      }),
    );
}

/** A table is Parquet where it begins so, else CSV. */
async function formatOf([{file, epoch}]: Source[]): Promise<DynamicsFormat> {
  if (epoch !== undefined) return DynamicsFormat.DYNAMICS_FORMAT_CARTOGRAPHY_JSONL;
  const isParquet = file !== '-' && (await formatOfFile(file)) === FileFormat.FILE_FORMAT_PARQUET;
  return isParquet ? DynamicsFormat.DYNAMICS_FORMAT_P_TRUE_PARQUET : DynamicsFormat.DYNAMICS_FORMAT_P_TRUE_CSV;
}

function toHeader(options: DynamicsOptions, format: DynamicsFormat): DeepPartial<ImportDynamicsHeader> {
  const {dataset, classes: classNames, label: labels, ...same} = options;
  return {
    runId: same.runId,
    dataset: dataset === undefined ? undefined : resourceName('datasets', dataset),
    trainSplit: same.trainSplit,
    model: same.model,
    dropPartialLastEpoch: same.dropPartialLastEpoch,
    requestId: same.requestId,
    validateOnly: same.validateOnly,
    labels,
    classNames,
    format,
  };
}

async function* parts(header: DeepPartial<ImportDynamicsHeader>, sources: Source[], io: Io): AsyncGenerator<Part> {
  yield {part: {$case: 'header', value: header}};
  const part = (epoch: number | undefined, data: Buffer): Part =>
    epoch === undefined ? {part: {$case: 'table', value: data}} : {part: {$case: 'log', value: {epoch, data}}};
  try {
    for (const {file, epoch} of sources) {
      // An empty file is an epoch too, which the server refuses.
      yield part(epoch, Buffer.alloc(0));
      for await (const bytes of readBytes(file, io.stdin)) yield part(epoch, Buffer.from(bytes));
    }
  } catch (error) {
    yield unfinished;
    throw error;
  }
}

/** Logs by epoch, each once; gaps are the server's to name. */
async function sourcesOf(paths: string[]): Promise<Source[]> {
  const files = (await Promise.all(paths.map(filesOf))).flat();
  const logs = files.flatMap(file => {
    const [, epoch] = logName.exec(basename(file)) ?? [];
    return epoch === undefined ? [] : [{file, epoch: Number(epoch)}];
  });
  if (logs.length === 0 && files.length === 1) return [{file: files[0]}];
  if (logs.length < files.length || logs.length === 0)
    throw wrongUsage(
      `Cannot import dynamics: expected logs dynamics_epoch_<e>.jsonl, or one table of p_true, found ${files.map(file => basename(file)).join(', ') || 'none'}`,
    );
  logs.sort((a, b) => a.epoch - b.epoch);
  const twice = logs.find(({epoch}, i) => epoch === logs[i + 1]?.epoch);
  if (twice) throw wrongUsage(`Cannot import dynamics: expected one log of epoch ${twice.epoch}, found more`);
  return logs;
}

/** Of a folder the logs in it; other files may lie beside them. */
async function filesOf(path: string): Promise<string[]> {
  const isFolder = await stat(path).then(
    found => found.isDirectory(),
    () => false,
  );
  if (!isFolder) return [path];
  const inner = join(path, 'training_dynamics');
  const names = await readdir(path);
  const logs = names.filter(name => logName.test(name)).map(name => join(path, name));
  if (logs.length > 0) return logs;
  if (names.includes('training_dynamics')) return await filesOf(inner);
  throw wrongUsage(`Cannot import dynamics: expected dynamics_epoch_<e>.jsonl in the folder ${path}, found none`);
}

function describe({run}: ImportDynamicsResponse, validateOnly?: boolean): string {
  const epochs = count(run?.progress?.committedEpochs ?? 0);
  const where = run?.spec?.dataset ? ` of ${run.spec.dataset}, split ${run.spec.trainSplit}` : '';
  return `${validateOnly ? 'would import' : 'imported'} ${run?.name}: ${epochs} epochs${where}`;
}
