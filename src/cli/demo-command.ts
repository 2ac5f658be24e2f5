// ftft demo: the options of the demo, and the sizes that they stand for.
import {join} from 'node:path';
import type {Command} from 'commander';
import {readConfig} from '../config.js';
import {runDemo} from './demo.js';
import type {Io} from './io.js';
import {helpTail, integer, positive} from './verb.js';

/** The recipe's rate; and one for a run of 128 steps, in which the recipe's leaves a reference of 3 layers at chance. */
const learningRates = {recipe: 5e-5, short: 2e-4};
const shortTrain = 1000;

interface CommandOptions {
  full?: boolean;
  seed: number;
  train?: number;
  epochs: number;
  learningRate?: number;
  reference: string;
  main: string;
  out: string;
}

/** The demo, every choice made. */
export interface DemoOptions {
  seed: number;
  /** Lines of each file to import. */
  numTrain: number;
  numTest: number;
  epochs: number;
  /** Peak, of every run. */
  learningRate: number;
  referenceModel: string;
  /** First layers of the reference model's checkpoint; 0 for all. */
  referenceLayers: number;
  mainModel: string;
  /** Where the picture, the lines and the model go. */
  outDir: string;
  /** Where the five files lie. */
  demoDataDir: string;
}

export function addDemo(program: Command, io: Io): void {
  program
    .command('demo')
    .description(
      'The whole of FTFT on real text, beside plain fine-tuning and a random third: server, data, four runs, one table',
    )
    .option('--full', 'all 8,000 training instances and the whole test sets; hours on two cores')
    .option('--train <n>', 'training instances (default 1000)', integer(64, 8000))
    .option('--epochs <n>', 'epochs of the reference, and of the ERM length', integer(2), 4)
    .option(
      '--learning-rate <rate>',
      'peak rate of every run (default 2e-4 up to 1,000 training instances, else 5e-5)',
      positive(1),
    )
    .option('--seed <n>', 'seed of heads, orders, dropout and the random third', integer(0, 2 ** 32 - 1), 0)
    .option('--reference <layers|model>', 'first layers of the main model, or a model of its own', '3')
    .option('--main <model>', 'preset, hub id or local:FOLDER', 'minilm-l6')
    .option('--out <folder>', 'where data-map.svg, data-map.jsonl and model/ go', 'out')
    .addHelpText('after', helpTail(['ftft demo', 'ftft demo --train 2000 --seed 1 --out out/seed-1']))
    .action(async (options: CommandOptions) => {
      const config = readConfig(io.env);
      const numTrain = options.train ?? (options.full ? Number.POSITIVE_INFINITY : shortTrain);
      const isLayers = /^\d+$/.test(options.reference);
      await runDemo(
        {
          seed: options.seed,
          numTrain,
          numTest: options.full ? Number.POSITIVE_INFINITY : 500,
          epochs: options.epochs,
          learningRate: options.learningRate ?? (numTrain <= shortTrain ? learningRates.short : learningRates.recipe),
          referenceModel: isLayers ? options.main : options.reference,
          referenceLayers: isLayers ? Number(options.reference) : 0,
          mainModel: options.main,
          outDir: options.out,
          demoDataDir: join(config.cacheDir, 'demo-data'),
        },
        io,
      );
    });
}
