// START HERE. The method on one page: labelled texts in; a data map, the ambiguous third and a main model trained on it out.
import {loadTokenizer} from '../data/tokenizer.js';
import type {Classifier, Precision} from '../model/classifier.js';
import {buildDataMap} from './build-data-map.js';
import {checkModel} from './check-model.js';
import {countClasses} from './class-balance.js';
import {diagnose} from './diagnose.js';
import {evaluate} from './evaluate.js';
import {fineTuneMain} from './fine-tune-main.js';
import {metricsOf} from './instance-scores.js';
import {loadClassifier} from './load-classifier.js';
import {budgetSteps, ermSteps} from './schedule.js';
import {selectSubset} from './select-subset.js';
import {tokenize} from './tokenize.js';
import {trainReference} from './train-reference.js';
import type {
  DataMap,
  DataMapDiagnostics,
  Evaluation,
  EvaluationSet,
  Example,
  Selection,
  Subset,
  TrainingDynamics,
  TrainingEvent,
  TrainingOptions,
  VariabilityEstimator,
} from './types.js';

export type * from './types.js';

/** What is to be learnt, and on what it is judged. */
export interface Task {
  /** In index order. */
  classNames: string[];
  train: Example[];
  evaluationSets: {split: string; isOutOfDistribution: boolean; examples: Example[]}[];
}

/** One model and how it is trained. */
export interface ModelOptions {
  /** In the hub's layout: config.json, tokenizer, weights. */
  folder: string;
  /** Only the first layers; all when undefined. */
  layers?: number;
  /** Tokens of the longest input, 300 in FTFT. */
  maxLength: number;
  /** Over the whole train split. */
  epochs: number;
  batchSize: number;
  /** Peak. */
  learningRate: number;
  warmupRatio: number;
  weightDecay: number;
  /** Of matrix products; float32 when undefined. */
  precision?: Precision;
  seed: number;
}

export interface FtftOptions {
  reference: ModelOptions;
  /** stepFraction: share of the steps that plain fine-tuning (ERM) of the main model would make in its epochs. */
  main: ModelOptions & {stepFraction: number};
  selection: Selection;
  variabilityEstimator: VariabilityEstimator;
  signal?: AbortSignal;
}

export interface FtftResult {
  dataMap: DataMap;
  diagnostics: DataMapDiagnostics;
  subset: Subset;
  /** Of the trained main model, one a set. */
  evaluations: Evaluation[];
  /** The trained main model, for the caller to save and to dispose of. */
  main: Classifier;
}

/** Runs the six stages and yields what the two trainings tell meanwhile, the reference's first. Errors are those of the stages. */
export async function* ftft(task: Task, options: FtftOptions): AsyncGenerator<TrainingEvent, FtftResult> {
  const {selection, variabilityEstimator, signal} = options;
  const numTrain = task.train.length;
  const {epochs, batchSize} = options.main;
  const referenceSteps = ermSteps(numTrain, options.reference.batchSize, options.reference.epochs);
  const mainSteps = budgetSteps(ermSteps(numTrain, batchSize, epochs), options.main.stepFraction);

  const reference = await prepare(task, options.reference);
  let dynamics: TrainingDynamics;
  try {
    dynamics = yield* trainReference(
      reference.classifier,
      reference.train,
      trainingOptions(options.reference, referenceSteps, signal),
    );
  } finally {
    reference.classifier.dispose();
  }

  const {labels} = dynamics;
  const dataMap = buildDataMap(dynamics, {variabilityEstimator, metrics: metricsOf(selection.criterion)});
  const subset = selectSubset(dataMap, selection, {labels});
  const classCounts = countClasses(labels, subset.instances, task.classNames.length);
  const diagnostics = diagnose(dataMap, selection, {subset, classCounts});

  const {classifier: main, ...data} = await prepare(task, options.main);
  let isTrained = false;
  try {
    const how = trainingOptions(options.main, mainSteps, signal);
    const {epochs: committed} = yield* fineTuneMain(main, data.train, subset.instances, how);
    const at = {steps: mainSteps, committedEpochs: committed.length, signal};
    const evaluations = await evaluate(main, data.evaluationSets, at);
    isTrained = true;
    return {dataMap, diagnostics, subset, evaluations, main};
  } finally {
    if (!isTrained) main.dispose();
  }
}

/** Stage 1 for one model, whose tokenizer decides, and its weights. */
async function prepare({classNames, train, evaluationSets}: Task, model: ModelOptions) {
  const numClasses = classNames.length;
  const {config} = await checkModel(model.folder, {...model, numClasses});
  const tokenizer = await loadTokenizer(model.folder, config.vocabSize);
  const columns = (examples: Example[]) => tokenize(examples, tokenizer, {...model, numClasses});
  return {
    train: columns(train),
    evaluationSets: evaluationSets.map(({examples, ...set}): EvaluationSet => ({...set, dataset: columns(examples)})),
    classifier: await loadClassifier(model.folder, {...model, classNames}),
  };
}

const trainingOptions = (model: ModelOptions, totalSteps: number, signal?: AbortSignal): TrainingOptions => ({
  ...model,
  totalSteps,
  evaluationIntervalSteps: totalSteps,
  evaluationSets: [],
  signal,
});
