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
import {keepBest} from './keep-best.js';
import {loadClassifier} from './load-classifier.js';
import {type Method, selectionOf} from './methods.js';
import {budgetSteps, ermSteps} from './schedule.js';
import {selectSubset} from './select-subset.js';
import {tokenize} from './tokenize.js';
import {trainReference} from './train-reference.js';
import type {
  DataMap,
  DataMapDiagnostics,
  EarlyStopping,
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

export type {Method} from './methods.js';
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

/** How the main model is trained. */
export interface MainOptions extends ModelOptions {
  /** Share of the steps that plain fine-tuning (ERM) of the main model would make in its epochs. */
  stepFraction: number;
  /** What the learning-rate schedule spans; the step budget when undefined. ERM's length is for budgets that are cut short. */
  scheduleSpan?: 'step-budget' | 'erm-length';
  /** Without it the model is evaluated once, at the end. */
  earlyStopping?: EarlyStopping & {evaluationIntervalSteps: number};
}

export interface FtftOptions {
  /** Not trained where the method is erm, nor where it is data-map: there the main model is its own reference. */
  reference: ModelOptions;
  main: MainOptions;
  selection: Selection;
  /** Decides what is selected; the selection's own criterion when undefined. */
  method?: Method;
  variabilityEstimator: VariabilityEstimator;
  signal?: AbortSignal;
}

/** Of stages 1 to 4. */
export interface MappedData {
  dataMap: DataMap;
  diagnostics: DataMapDiagnostics;
  subset: Subset;
}

/** What belongs to the map is undefined where the method is erm. */
export interface FtftResult extends Partial<MappedData> {
  /** Of the trained main model, one a set. */
  evaluations: Evaluation[];
  /** The trained main model, for the caller to save and to dispose of; under early stopping with its best weights. */
  main: Classifier;
}

/** Runs the six stages and yields what the two trainings tell meanwhile, the reference's first. Errors are those of the stages. */
export async function* ftft(task: Task, options: FtftOptions): AsyncGenerator<TrainingEvent, FtftResult> {
  const mapped = options.method === 'erm' ? undefined : yield* mapData(task, options, options.method);
  const {classifier: main, ...data} = await prepare(task, options.main);
  const instances = mapped?.subset.instances ?? Int32Array.from(task.train, (_, i) => i);
  let isTrained = false;
  try {
    const how = mainTraining(options, task.train.length, data.evaluationSets);
    const training = fineTuneMain(main, data.train, instances, how);
    const {dynamics, evaluations: best} = yield* keepBest(main, training);
    const at = {steps: how.totalSteps, committedEpochs: dynamics.epochs.length, signal: options.signal};
    const evaluations = best ?? (await evaluate(main, data.evaluationSets, at));
    isTrained = true;
    return {...mapped, evaluations, main};
  } finally {
    if (!isTrained) main.dispose();
  }
}

/** Stages 1 to 4. */
async function* mapData(
  task: Task,
  options: FtftOptions,
  method: Exclude<Method, 'erm'> | undefined,
): AsyncGenerator<TrainingEvent, MappedData> {
  const {variabilityEstimator, signal} = options;
  const model = method === 'data-map' ? options.main : options.reference;
  const totalSteps = ermSteps(task.train.length, model.batchSize, model.epochs);
  const reference = await prepare(task, model);
  let dynamics: TrainingDynamics;
  try {
    const how = trainingOptions(model, totalSteps, signal);
    dynamics = yield* trainReference(reference.classifier, reference.train, how);
  } finally {
    reference.classifier.dispose();
  }
  const selection = method ? selectionOf(method, options.selection) : options.selection;
  const {labels} = dynamics;
  const dataMap = buildDataMap(dynamics, {variabilityEstimator, metrics: metricsOf(selection.criterion)});
  const subset = selectSubset(dataMap, selection, {labels});
  const classCounts = countClasses(labels, subset.instances, task.classNames.length);
  return {dataMap, diagnostics: diagnose(dataMap, selection, {subset, classCounts}), subset};
}

function mainTraining({main, signal}: FtftOptions, numTrain: number, sets: EvaluationSet[]): TrainingOptions {
  const {stepFraction, scheduleSpan, earlyStopping} = main;
  const ermLength = ermSteps(numTrain, main.batchSize, main.epochs);
  const how = trainingOptions(main, budgetSteps(ermLength, stepFraction), signal);
  return {
    ...how,
    ...(scheduleSpan === 'erm-length' && {scheduleSteps: ermLength}),
    ...(earlyStopping && {
      earlyStopping,
      evaluationSets: sets,
      evaluationIntervalSteps: earlyStopping.evaluationIntervalSteps,
    }),
  };
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

const trainingOptions = (
  {batchSize, learningRate, warmupRatio, seed}: ModelOptions,
  totalSteps: number,
  signal?: AbortSignal,
): TrainingOptions => ({
  ...{batchSize, learningRate, warmupRatio, seed},
  totalSteps,
  evaluationIntervalSteps: totalSteps,
  evaluationSets: [],
  signal,
});
