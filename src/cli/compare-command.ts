// ftft compare: the method's five arms over seeds, with early stopping and without, as one table; goes on where it was interrupted.
import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import type {Command} from 'commander';
import {readConfig} from '../config.js';
import type {FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {Precision} from '../server/gen/ftft/v1/run.js';
import {type ComparedData, importComparedData, ownData} from './compare-data.js';
import {type ArmResult, type CompareOptions, compareArms} from './compare-runs.js';
import {comparisonText, writeResults} from './compare-table.js';
import {resourceName} from './connect.js';
import {jsonLine} from './format.js';
import type {Io} from './io.js';
import {withOwnServer} from './own-server.js';
import {startServer} from './server-process.js';
import {type ClientOptions, chatter, choice, integer, list, positive, verb, withClient} from './verb.js';

interface CommandOptions
  extends ClientOptions,
    Omit<CompareOptions, 'reference' | 'data' | 'precision' | 'stepFraction'> {
  precision?: Precision;
  stepFraction?: number;
  reference: string;
  train: number;
  dev: number;
  test: number;
  devSplits?: string[];
  testSplits?: string[];
  out: string;
}

const precisions = {float32: Precision.PRECISION_FLOAT32, bfloat16: Precision.PRECISION_BFLOAT16};

export function addCompare(program: Command, io: Io, start = startServer): void {
  verb(
    program,
    'compare',
    'ERM, data map, FTFT, random and hard-to-learn, over seeds, with early stopping and without: one table, costs all in',
    io,
    [
      'ftft compare --seeds 3',
      'ftft compare reviews --dev-splits dev,dev_ood --test-splits test,test_ood --reference 3 --seeds 3',
    ],
  )
    .argument('[dataset]', 'data set on a server; movie reviews on a server of its own when left out')
    .option('--seeds <n>', 'seeds 0 to n - 1', integer(1, 1000), 3)
    .option('--model <model>', 'main model: preset, hub id or local:FOLDER', 'minilm-l6')
    .option('--reference <layers|model>', 'first layers of the main model, or a model of its own', '3')
    .option('--epochs <n>', 'of the reference, and of the ERM length', integer(2), 4)
    .option('--batch-size <n>', 'instances a step', integer(1), 32)
    .option('--learning-rate <rate>', 'peak, of every run', positive(1), 2e-4)
    .option('--precision <type>', 'float32 or bfloat16 (default bfloat16)', choice(precisions))
    .option('--fraction <share>', 'of the instances that is selected', positive(1), 0.33)
    .option('--step-fraction <share>', 'of the ERM length, without early stopping (default one third)', positive(1))
    .option('--rounds <n>', 'evaluations in the ERM length, with early stopping', integer(1), 12)
    .option('--patience <n>', 'rounds without a new best after which training ends', integer(1), 2)
    .option('--dev-splits <splits>', 'watched where out of distribution, a,b,c', list)
    .option('--test-splits <splits>', 'evaluated once, at the end of each run, a,b,c', list)
    .option('--train <n>', 'movie reviews to train on', integer(64, 8000), 600)
    .option('--dev <n>', 'instances of each development set of the movie reviews', integer(1, 1000), 100)
    .option('--test <n>', 'instances of each test set of the movie reviews', integer(1, 1000), 500)
    .option('--prefix <id>', 'runs are named PREFIX-s0-erm and so on', 'compare')
    .option('--out <folder>', "where results.json goes, and the state of the server of one's own", 'out/compare')
    .action((dataset: string | undefined, options: CommandOptions) => run(dataset, options, io, start));
}

async function run(
  dataset: string | undefined,
  options: CommandOptions,
  io: Io,
  start: typeof startServer,
): Promise<void> {
  await mkdir(options.out, {recursive: true});
  if (dataset !== undefined)
    return withClient(options, async client => {
      const name = resourceName('datasets', dataset);
      await compare(client, await ownData(client, name, options, io.signal), options, io, io.signal);
    });
  const files = join(readConfig(io.env).cacheDir, 'demo-data');
  const dataDir = join(options.out, 'server');
  await mkdir(dataDir, {recursive: true});
  await withOwnServer({dataDir, what: 'the comparison', io, start}, async (client, signal) => {
    await compare(client, await importComparedData(client, files, options, signal), options, io, signal);
  });
}

async function compare(
  client: FtftServiceClient,
  data: ComparedData,
  options: CommandOptions,
  io: Io,
  signal: AbortSignal,
): Promise<void> {
  const isLayers = /^\d+$/.test(options.reference);
  const reference = isLayers
    ? {model: options.model, layers: Number(options.reference)}
    : {model: options.reference, layers: 0};
  const {precision = Precision.PRECISION_BFLOAT16, stepFraction = 1 / 3} = options;
  const compared = {...options, precision, stepFraction, reference, data};
  const results: ArmResult[] = [];
  for await (const result of compareArms(client, compared, chatter(io, options), signal)) {
    results.push(result);
    // What is there is kept, whatever becomes of the rest.
    await writeResults(join(options.out, 'results.json'), results);
  }
  io.stdout.write(options.json ? jsonLine(results) : comparisonText(results, data.testSplits));
}
