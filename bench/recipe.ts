// The recipe by our own pipeline, in process: the demo's data and model in; one row a stage, appended as it is finished, out.
import {createHash} from 'node:crypto';
import {createReadStream, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {readSplit} from '../src/data/read-split.js';
import {loadTokenizer} from '../src/data/tokenizer.js';
import {buildDataMap} from '../src/pipeline/build-data-map.js';
import {fineTuneMain} from '../src/pipeline/fine-tune-main.js';
import {loadClassifier} from '../src/pipeline/load-classifier.js';
import {ermSteps} from '../src/pipeline/schedule.js';
import {selectSubset} from '../src/pipeline/select-subset.js';
import {tokenize} from '../src/pipeline/tokenize.js';
import {trainReference} from '../src/pipeline/train-reference.js';
import type {
  DataMap,
  EvaluationSet,
  Region,
  TokenizedDataset,
  TrainingEvent,
  TrainingOptions,
} from '../src/pipeline/types.js';
import {machine} from './machine.js';
import {
  appendRow,
  fromBits,
  type RecipeRow,
  type RecipeSettings,
  readRows,
  type Stage,
  stages,
  toBits,
} from './recipe-results.js';

const batchSize = 32;
const maxLength = 300;
export const classNames = ['negative', 'positive'];

/** Split names are the rows' names of the test sets. */
const files = {
  train: 'train.jsonl',
  movie: 'test_movie.jsonl',
  amazon: 'ood_amazon.jsonl',
  tweets: 'ood_tweets.jsonl',
  nyt: 'ood_nyt.jsonl',
};

export interface RecipeData {
  modelFolder: string;
  dataset: TokenizedDataset;
  evaluationSets: EvaluationSet[];
  digest: string;
}

/** The first `train` instances of the train split and the whole test sets. */
export async function readData(dataFolder: string, modelFolder: string, train: number): Promise<RecipeData> {
  const tokenizer = await loadTokenizer(modelFolder);
  const hash = createHash('sha256');
  const read = async (name: keyof typeof files) => {
    const file = join(dataFolder, files[name]);
    hash.update(readFileSync(file));
    const {examples} = await readSplit(createReadStream(file), {
      format: 'jsonl',
      hasHeaderRow: false,
      columns: {text: 'text', label: 'label', id: 'uid'},
      classLabels: classNames.map(className => ({name: className, aliases: []})),
      fileName: files[name],
    });
    const kept = name === 'train' ? examples.slice(0, train) : examples;
    return tokenize(kept, tokenizer, {maxLength, numClasses: classNames.length});
  };
  const dataset = await read('train');
  const evaluationSets: EvaluationSet[] = [];
  for (const split of ['movie', 'amazon', 'tweets', 'nyt'] as const)
    evaluationSets.push({split, isOutOfDistribution: split !== 'movie', dataset: await read(split)});
  return {modelFolder, dataset, evaluationSets, digest: hash.digest('hex').slice(0, 16)};
}

/** Runs the stages that the file has not yet for these settings and this seed, in order. */
export async function runSeed(
  file: string,
  data: RecipeData,
  settings: RecipeSettings,
  seed: number,
  say: (line: string) => void,
): Promise<void> {
  for (const stage of stages) {
    const done = readRows(file, settings).filter(row => row.seed === seed);
    if (done.some(row => row.stage === stage)) continue;
    const row = await runStage(data, settings, stage, seed, done, say);
    appendRow(file, row);
    say(`${stage}, seed ${seed}: ${row.seconds} s, ${JSON.stringify(row.accuracy)}`);
  }
}

async function runStage(
  data: RecipeData,
  settings: RecipeSettings,
  stage: Stage,
  seed: number,
  done: RecipeRow[],
  say: (line: string) => void,
): Promise<RecipeRow> {
  const {dataset, evaluationSets, modelFolder} = data;
  const count = dataset.labels.length;
  const erm = ermSteps(count, batchSize, settings.epochs);
  const isFull = stage === 'erm' || stage === 'reference';
  const totalSteps = isFull ? erm : Math.floor(erm / 3);
  const options: TrainingOptions = {
    totalSteps,
    batchSize,
    learningRate: 5e-5,
    warmupRatio: 0.1,
    seed,
    evaluationIntervalSteps: totalSteps,
    evaluationSets,
  };
  const layers = stage === 'reference' ? settings.layers : undefined;
  const classifier = await loadClassifier(modelFolder, {
    layers,
    classNames,
    seed,
    weightDecay: 0,
    precision: 'bfloat16',
  });
  const told = {seconds: 0, accuracy: {} as RecipeRow['accuracy']};
  const watch = (event: TrainingEvent) => {
    if (event.kind === 'step') told.seconds += event.seconds;
    if (event.kind === 'step' && event.steps % 50 === 0)
      say(
        `${stage}, seed ${seed}: ${event.steps}/${totalSteps} steps, ${(told.seconds / event.steps).toFixed(2)} s each`,
      );
    if (event.kind === 'evaluations')
      told.accuracy = Object.fromEntries(
        event.evaluations.map(({split, accuracy}) => [split, round(accuracy, 4)]),
      ) as RecipeRow['accuracy'];
  };
  try {
    const row = {stage, seed, precision: 'bf16' as const, ...settings, steps: totalSteps};
    if (!isFull) {
      const instances = stage === 'ftft' ? ambiguousOf(done) : select('random', emptyMap(count), seed);
      for await (const event of fineTuneMain(classifier, dataset, instances, options)) watch(event);
      return {...row, instances: instances.length, ...rounded(told), machine: {...machine()}};
    }
    const training = trainReference(classifier, dataset, options);
    let next = await training.next();
    for (; !next.done; next = await training.next()) watch(next.value);
    const map = buildDataMap(next.value);
    const easy = round(select('easy-complement', map, seed).length / count, 4);
    const ambiguous = toBits(select('ambiguous', map, seed), count);
    return {...row, instances: count, ...rounded(told), easy, ambiguous, machine: {...machine()}};
  } finally {
    classifier.dispose();
  }
}

function ambiguousOf(done: RecipeRow[]): Int32Array {
  const column = done.find(row => row.stage === 'reference')?.ambiguous;
  if (column === undefined) throw new Error('The results file must hold the reference of this seed before ftft runs');
  return fromBits(column);
}

const select = (region: Region, map: DataMap, seed: number): Int32Array =>
  selectSubset(map, {criterion: {region}, fraction: 0.33, rule: 'upstream-quantile', seed}).instances;

/** A random share needs a map's size alone. */
const emptyMap = (numInstances: number): DataMap => ({
  numInstances,
  epochs: {first: 0, last: 0},
  variabilityEstimator: 'sample',
  confidence: new Float32Array(0),
  variability: new Float32Array(0),
  correctness: new Uint32Array(0),
  forgettingEvents: new Uint32Array(0),
  isWrongAtLast: new Uint8Array(0),
  epochMeans: [],
  scores: {},
});

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

const rounded = ({seconds, accuracy}: Pick<RecipeRow, 'seconds' | 'accuracy'>) => ({
  seconds: round(seconds, 1),
  accuracy,
});
