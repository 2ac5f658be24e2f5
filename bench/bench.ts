// `npm run bench -- <name>`: measurements, printed as tables and kept as JSON. What each one times and how: README.md.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';

import {availableParallelism} from 'node:os';
import {fileURLToPath} from 'node:url';
import {Command} from 'commander';
import {benchCost} from './cost.js';
import {benchDataMap} from './data-map.js';
import {dataFolder, type SourceName, sources} from './datasets.js';
import {benchDynamics} from './dynamics.js';
import {benchEvaluateInstances, benchInstances} from './instances.js';
import {keep, writePage} from './keep.js';
import {benchLargeMap} from './large-map.js';
import {benchLatency} from './latency.js';
import {benchLeak} from './leak.js';
import {benchMemory} from './memory.js';
import {type ShapeName, shapes} from './model/shapes.js';
import {choice, choices, whole, wholes} from './options.js';
import {benchOverhead} from './overhead.js';
import {benchPeerCheck} from './peer-check.js';
import {recipe} from './recipe-command.js';
import {stores} from './service/cluster.js';
import {benchService, benchStalledReader} from './service/service.js';
import {benchEvaluate, benchTrainSteps, type PaddedShape} from './steps.js';
import {benchSubscribers} from './subscribers.js';
import {benchTokenize} from './tokenize.js';
import {benchTrace} from './trace.js';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const precisions = ['fp32', 'bf16'] as const;
const trainParts = ['steps', 'electra', 'deberta', 'deberta-256', 'instances', 'peer'] as const;
const evaluateParts = ['padded', 'real'] as const;
const mapParts = ['scores', 'large'] as const;
const serviceParts = ['load', 'stalled'] as const;
const shapeNames = Object.keys(shapes) as ShapeName[];
const sourceNames = Object.keys(sources) as SourceName[];

/** Parts of their own, so that each can be measured in a quiet quarter of an hour. */
const otherFamilies = {
  electra: {shape: 'electra-small', length: 128},
  deberta: {shape: 'deberta-v3-small', length: 128},
  'deberta-256': {shape: 'deberta-v3-small', length: 256},
} as const satisfies Record<string, PaddedShape>;

const paddedShapes = ({shapes, lengths}: {shapes: ShapeName[]; lengths: number[]}): PaddedShape[] =>
  shapes.flatMap(shape => lengths.map(length => ({shape, length})));

const program = new Command('bench').description('Measurements of ftft beside PyTorch; without a name all but recipe');

/** With the options that all have. */
const command = (name: string, description: string) =>
  program
    .command(name)
    .description(description)
    .option('--results <folder>', 'where the JSON is kept', here('results'))
    .option('--threads <n>', 'of both sides', whole, availableParallelism());

const stepsCommand = (name: string, description: string, rows: number) =>
  command(name, description)
    .option('--rounds <n>', 'timed turns of each side', whole, 10)
    .option('--shapes <names>', shapeNames.join(', '), choices(shapeNames), ['minilm', 'tinybert'])
    .option('--precisions <names>', precisions.join(', '), choices(precisions), [...precisions])
    .option('--rows <n>', 'instances of the padded batch', whole, rows)
    .option('--lengths <n>', 'tokens of each of them', wholes, [128])
    .option('--no-compile', 'leave torch.compile out');

stepsCommand('train', 'training step, and instances a second over real batches, beside PyTorch', 32)
  .option('--parts <names>', trainParts.join(', '), choices(trainParts), [...trainParts])
  .option('--datasets <names>', sourceNames.join(', '), choices(sourceNames), sourceNames)
  .option('--batches <n>', 'of each data set', whole, 100)
  .option('--precision <name>', 'of the real batches', choice(precisions), 'bf16')
  .option('--compile-instances', 'torch.compile takes part over real batches, too')
  .option('--peer-rounds <n>', 'turns of the two peers, five steps each', whole, 3)
  .action(async options => {
    const {parts, results, compileInstances, peerRounds} = options;
    const sample = {...options, shape: 'minilm', compile: compileInstances ?? false};
    const check = {...options, length: options.lengths[0], rounds: peerRounds, steps: 5};
    const steps = (batches: PaddedShape[]) => () => benchTrainSteps({...options, batches});
    if (parts.includes('steps')) await keep('train-steps', results, steps(paddedShapes(options)));
    for (const part of ['electra', 'deberta', 'deberta-256'] as const)
      if (parts.includes(part)) await keep(`train-${part}`, results, steps([otherFamilies[part]]));
    if (parts.includes('instances')) await keep('train-instances', results, () => benchInstances(sample));
    if (parts.includes('peer')) await keep('train-peer', results, () => benchPeerCheck(check));
  });

command('memory', 'peak resident memory of a training process, ours and PyTorch')
  .option('--shape <name>', shapeNames.join(', '), choice(shapeNames), 'minilm')
  .option('--rounds <n>', 'processes of each side', whole, 2)
  .option('--steps <n>', 'in each process', whole, 5)
  .option('--rows <n>', 'instances of a batch', whole, 32)
  .option('--length <n>', 'tokens of each of them', whole, 128)
  .action(options => keep('memory', options.results, () => benchMemory(options)));

command('overhead', 'step of a two-layer toy, compiled beside eager')
  .option('--rounds <n>', 'turns of each', whole, 10)
  .option('--steps <n>', 'in each turn', whole, 50)
  .action(options => keep('overhead', options.results, () => benchOverhead(options)));

command('dynamics', 'cost of recording p_true')
  .option('--precision <name>', precisions.join(', '), choice(precisions), 'bf16')
  .option('--rounds <n>', 'steps with and without', whole, 30)
  .action(options => keep('dynamics', options.results, () => benchDynamics(options)));

command('leak', 'growth of resident memory over steps of every length')
  .option('--first <n>', 'steps before the first look', whole, 500)
  .option('--steps <n>', 'steps between the looks', whole, 10_000)
  .action(options => keep('leak', options.results, () => benchLeak(options)));

command('trace', 'time until every bucket of a BERT-large can be stepped')
  .option('--shape <name>', shapeNames.join(', '), choice(shapeNames), 'bert-large')
  .option('--lengths <list>', 'tokens of each bucket', wholes, [16, 32, 48, 64, 96, 128])
  .action(options => keep('trace', options.results, () => benchTrace(options)));

stepsCommand('evaluate', "forward passes beside PyTorch's inference_mode", 64)
  .option('--parts <names>', evaluateParts.join(', '), choices(evaluateParts), [...evaluateParts])
  .option('--datasets <names>', sourceNames.join(', '), choices(sourceNames), sourceNames)
  .option('--batches <n>', 'of each data set', whole, 100)
  .option('--precision <name>', 'of the real batches', choice(precisions), 'bf16')
  .action(async options => {
    const {parts, results} = options;
    const padded = {...options, batches: paddedShapes(options)};
    const sample = {...options, shape: 'minilm'};
    if (parts.includes('padded')) await keep('evaluate', results, () => benchEvaluate(padded));
    if (parts.includes('real')) await keep('evaluate-real', results, () => benchEvaluateInstances(sample));
  });

command('data-map', "logits to scores beside cartography's way and numpy, and a map of ten million instances from disk")
  .option('--parts <names>', mapParts.join(', '), choices(mapParts), [...mapParts])
  .option('--instances <n>', 'of six epochs and three classes', whole, 400_000)
  .option('--rounds <n>', 'turns of each', whole, 5)
  .option('--slow-rounds <n>', "of cartography's way", whole, 2)
  .option('--large-instances <n>', 'of the map from disk', whole, 10_000_000)
  .option('--large-epochs <n>', 'of the map from disk', whole, 10)
  .action(async options => {
    const {parts, results, rounds, largeInstances: instances, largeEpochs: epochs} = options;
    if (parts.includes('scores')) await keep('data-map', results, () => benchDataMap(options));
    if (parts.includes('large'))
      await keep('data-map-large', results, () => benchLargeMap({instances, epochs, rounds}));
  });

command('tokenize', "SNLI pairs beside transformers' fast tokenizer")
  .option('--rounds <n>', 'turns of each', whole, 10)
  .action(options => keep('tokenize', options.results, () => benchTokenize(options)));

command('latency', '99th percentile of Health and GetRun over gRPC while a run trains')
  .option('--calls <n>', 'of each method', whole, 500)
  .action(options => keep('latency', options.results, () => benchLatency(dataFolder, options)));

command('service', 'calls, streams, takeover and memory of the service over SQLite and PostgreSQL')
  .option('--parts <names>', serviceParts.join(', '), choices(serviceParts), [...serviceParts])
  .option('--stores <names>', stores.join(', '), choices(stores), [...stores])
  .option('--seconds <n>', 'of each load of calls, and of each reading', whole, 10)
  .option('--readers <n>', 'where many read at once', whole, 50)
  .option('--epochs <n>', 'that are committed and waited for', whole, 60)
  .option('--rounds <n>', 'workers that die', whole, 3)
  .option('--lease-ms <n>', 'of the run that they had', whole, 3000)
  .option('--instances <n>', 'of the long log', whole, 100_000)
  .option('--stalled-seconds <n>', 'in which a reader reads nothing', whole, 60)
  .action(async options => {
    const {parts, stores, results, instances, stalledSeconds: seconds} = options;
    const log = {instances, logEpochs: 10};
    if (parts.includes('load')) await keep('service', results, () => benchService({...options, ...log}));
    if (parts.includes('stalled'))
      await keep('service-stalled', results, () => benchStalledReader(stores, {...log, seconds}));
  });

command('subscribers', 'an epoch that hundreds of subscribers follow, half of them slowly, beside one that nobody does')
  .option('--subscribers <n>', 'of one run', whole, 500)
  .option('--rounds <n>', 'epochs of each kind', whole, 6)
  .option('--instances <n>', 'of an epoch', whole, 2000)
  .action(options => keep('subscribers', options.results, () => benchSubscribers(dataFolder, options)));

command('cost', 'time of a run as validate_only tells it, beside what it takes: three models and data sets')
  .option('--scale <share>', 'of the numbers of instances', Number, 1)
  .action(options => keep('cost', options.results, () => benchCost(dataFolder, options)));

const all = program.commands.map(one => one.name());

command('recipe', 'accuracy of the whole recipe, seed by seed; goes on where it stopped (hours at full size)')
  .option('--seeds <n>', 'seeds 0 to n - 1', whole, 3)
  .option('--train <n>', 'training instances', whole, 8000)
  .option('--epochs <n>', 'epochs of plain fine-tuning', whole, 4)
  .option('--ours-only', 'run no PyTorch')
  .option('--table-only', 'run nothing, print what there is')
  .action(recipe);

program
  .command('report')
  .description('the page of results from the JSON that is kept')
  .option('--results <folder>', 'where the JSON is kept', here('results'))
  .option('--page <file>', 'what to write', here('RESULTS.md'))
  .action(({results, page}) => writePage(results, page));

/** One that fails does not keep the others from running. */
async function runEach(names: string[]): Promise<void> {
  for (const name of names)
    try {
      await program.parseAsync([name], {from: 'user'});
    } catch (error) {
      console.error(`${name}: ${error instanceof Error ? error.message : error}`);
      process.exitCode = 1;
    }
}

const words = process.argv.slice(2);
if (words.length === 0) await runEach([...all, 'report']);
else
  try {
    await program.parseAsync(words, {from: 'user'});
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
