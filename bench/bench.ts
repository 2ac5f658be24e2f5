// `npm run bench -- <name>`: measurements, each printed as one table. What each one times and how: README.md.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';

import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdirSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {Command, InvalidArgumentError} from 'commander';
import {readConfig} from '../src/config.js';
import {benchLatency} from './latency.js';
import {peerEnvironment, python} from './peers/environment.js';
import {readData, runSeed} from './recipe.js';
import {type RecipeSettings, readRows} from './recipe-results.js';
import {printRecipe} from './recipe-table.js';
import {benchTrain} from './train.js';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const {cacheDir, modelDir} = readConfig(process.env);
const modelFolder = join(modelDir, 'minilm-l6');
const dataFolder = join(cacheDir, 'demo-data');
const cores = availableParallelism();
const program = new Command('bench').description('Measurements of ftft, most of them beside PyTorch');

program
  .command('recipe')
  .description(
    'accuracy of the whole recipe beside PyTorch, seed by seed; goes on where it stopped (hours at full size)',
  )
  .option('--seeds <n>', 'seeds 0 to n - 1', whole, 3)
  .option('--train <n>', 'training instances', whole, 8000)
  .option('--epochs <n>', 'epochs of plain fine-tuning', whole, 4)
  .option('--results <folder>', 'where the rows are kept', here('results'))
  .option('--ours-only', 'run no PyTorch')
  .option('--table-only', 'run nothing, print what there is')
  .action(recipe);

program
  .command('train')
  .description('seconds per training step beside PyTorch, steps taken in turns')
  .option('--rounds <n>', 'timed steps of each side and shape', whole, 10)
  .option('--threads <n>', "PyTorch's threads", whole, cores)
  .action(options => benchTrain(modelFolder, options));

program
  .command('latency')
  .description('99th percentile of Health and GetRun over gRPC while a run trains')
  .option('--calls <n>', 'of each method', whole, 500)
  .action(options => benchLatency(dataFolder, options));

interface RecipeOptions {
  seeds: number;
  train: number;
  epochs: number;
  results: string;
  oursOnly?: boolean;
  tableOnly?: boolean;
}

async function recipe({seeds, train, epochs, results, oursOnly, tableOnly}: RecipeOptions): Promise<void> {
  mkdirSync(results, {recursive: true});
  const ours = join(results, 'recipe-ftft.jsonl');
  const peer = join(results, 'recipe-pytorch.jsonl');
  const data = await readData(dataFolder, modelFolder, train);
  const settings: RecipeSettings = {train: data.dataset.labels.length, epochs, layers: 3, data: data.digest};
  for (let seed = 0; seed < seeds && !tableOnly; seed++) {
    if (!oursOnly) await runPeer(['--results', peer, '--seed', seed, '--train', train, '--epochs', epochs]);
    await runSeed(ours, data, settings, seed, line => console.error(line));
  }
  printRecipe(readRows(ours, settings), readRows(peer, settings));
}

async function runPeer(options: (string | number)[]): Promise<void> {
  const folders = ['--data', dataFolder, '--model', modelFolder, '--threads', String(cores)];
  const child = spawn(python, [here('peers/recipe.py'), ...folders, ...options.map(String)], {
    env: await peerEnvironment(),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`PyTorch peer failed, exit status ${code}`);
}

function whole(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

try {
  await program.parseAsync();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
