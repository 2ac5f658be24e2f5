// `npm run bench -- recipe`: PyTorch's rows and ours, seed by seed, then the table of what both sides have.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {dataFolder, modelFolder} from './datasets.js';
import {peerEnvironment, python} from './peers/environment.js';
import {readData, runSeed} from './recipe.js';
import {type RecipeSettings, readRows} from './recipe-results.js';
import {printRecipe} from './recipe-table.js';

const script = fileURLToPath(new URL('peers/recipe.py', import.meta.url));

export interface RecipeOptions {
  seeds: number;
  train: number;
  epochs: number;
  results: string;
  threads: number;
  oursOnly?: boolean;
  tableOnly?: boolean;
}

export async function recipe(options: RecipeOptions): Promise<void> {
  const {seeds, train, epochs, results, threads, oursOnly, tableOnly} = options;
  mkdirSync(results, {recursive: true});
  const ours = join(results, 'recipe-ftft.jsonl');
  const peer = join(results, 'recipe-pytorch.jsonl');
  const data = await readData(dataFolder, modelFolder, train);
  const settings: RecipeSettings = {train: data.dataset.labels.length, epochs, layers: 3, data: data.digest};
  for (let seed = 0; seed < seeds && !tableOnly; seed++) {
    const flags = {results: peer, seed, train, epochs, threads, data: dataFolder, model: modelFolder};
    if (!oursOnly) await runPeer(flags);
    await runSeed(ours, data, settings, seed, line => console.error(line));
  }
  printRecipe(readRows(ours, settings), readRows(peer, settings));
}

async function runPeer(flags: Record<string, string | number>): Promise<void> {
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(python, [script, ...args], {
    env: await peerEnvironment(),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`PyTorch peer failed, exit status ${code}`);
}
