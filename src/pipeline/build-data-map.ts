// Stage 3 of 6: training dynamics in; how each instance was learnt out. Sample deviation by default, as in FTFT; cartography's is
// the population one.
import {FtftError, invalidFields} from '../errors.js';
import {DataMapBuilder, type MapShape} from './data-map-builder.js';
import {isColumnMetric, needsLogits} from './instance-scores.js';
import type {
  DataMap,
  EpochDynamics,
  EpochMetric,
  InstanceMetric,
  LogitMetric,
  TrainingDynamics,
  VariabilityEstimator,
} from './types.js';

export interface DataMapOptions {
  /** 0-based, inclusive; all epochs when undefined. */
  epochs?: {first: number; last: number};
  /** The first epochs only, this many or all, as cartography's burn-out; instead of epochs. */
  burnOut?: number;
  variabilityEstimator?: VariabilityEstimator;
  /** Scores to compute beside the columns that every map has. */
  metrics?: readonly InstanceMetric[];
  /** Epochs of a window of Dyn-Unc, DUAL and TDDS; 10 when undefined. All epochs where they are fewer. */
  scoreWindow?: number;
}

/** Instances that are worked on at a time: their columns stay in the cores' caches. */
const blockInstances = 8192;
const defaultWindow = 10;
const what = 'Cannot build a data map';

/**
 * Equals libtorch, which FTFT scores with: deviations in doubles, rounded to float32 once; means as a sequential float32 sum and
 * one division. FAILED_PRECONDITION/NO_COMMITTED_EPOCHS without dynamics, FAILED_PRECONDITION/LOGITS_NOT_KEPT for scores of logits
 * that are not there, INVALID_ARGUMENT/INVALID_FIELD for epochs that are not there and for columns of other lengths.
 */
export function buildDataMap(
  dynamics: Pick<TrainingDynamics, 'epochs'> &
    Partial<Pick<TrainingDynamics, 'labels'>> & {instances: ArrayLike<number>},
  options: DataMapOptions = {},
): DataMap {
  const numInstances = dynamics.instances.length;
  const {labels} = dynamics;
  const numClasses = Math.floor((dynamics.epochs[0]?.logits.length ?? 0) / numInstances) || 0;
  const shape = mapShape({numInstances, numEpochs: dynamics.epochs.length, numClasses}, options);
  const epochs = dynamics.epochs.slice(shape.epochs.first, shape.epochs.last + 1);
  checkColumns(epochs, shape, numClasses, labels);
  const builder = new DataMapBuilder(shape);
  const columns = {
    pTrue: epochs.map(({pTrue}) => pTrue),
    isCorrect: epochs.map(({isCorrect}) => isCorrect),
    logits: epochs.map(({logits}) => logits),
    labels,
    numClasses,
  };
  for (let first = 0; first < numInstances; first += blockInstances)
    builder.add(columns, first, Math.min(numInstances, first + blockInstances));
  return builder.finish();
}

/** What to build, every default filled in. numClasses: of the logits, 0 where there are none. Errors as of buildDataMap. */
export function mapShape(
  {numInstances, numEpochs, numClasses}: {numInstances: number; numEpochs: number; numClasses: number},
  {epochs: range, burnOut, variabilityEstimator = 'sample', metrics = [], scoreWindow}: DataMapOptions,
): MapShape {
  const firstOnes = burnOut === undefined ? undefined : {first: 0, last: Math.min(burnOut, numEpochs) - 1};
  const epochs = checkRange(firstOnes ?? range, numEpochs);
  const numUsed = epochs.last - epochs.first + 1;
  const window = Math.min(scoreWindow ?? defaultWindow, numUsed);
  const wanted = [...new Set(metrics)].filter((metric): metric is EpochMetric | LogitMetric => !isColumnMetric(metric));
  checkWindow(wanted, window, numUsed);
  const shape = {numInstances, epochs, variabilityEstimator, metrics: wanted, scoreWindow: window};
  const logitMetrics = wanted.filter(needsLogits);
  if (logitMetrics.length > 0 && numClasses === 0) throw logitsNotKept(logitMetrics);
  return {...shape, needsLogits: logitMetrics.length > 0};
}

function checkRange(range: DataMapOptions['epochs'], numEpochs: number): {first: number; last: number} {
  if (numEpochs === 0)
    throw new FtftError(
      'FAILED_PRECONDITION',
      `${what}: the run must have committed at least one whole epoch, it has none`,
      {reason: 'NO_COMMITTED_EPOCHS'},
    );
  const {first, last} = range ?? {first: 0, last: numEpochs - 1};
  const isRight = Number.isInteger(first) && Number.isInteger(last) && 0 <= first && first <= last && last < numEpochs;
  if (isRight) return {first, last};
  throw invalidFields(what, [
    {
      field: 'epochs',
      description: `must be a range within 0 to ${numEpochs - 1}, current value is ${first} to ${last}`,
    },
  ]);
}

function checkWindow(metrics: readonly InstanceMetric[], window: number, numEpochs: number): void {
  const windowed = (['dyn-unc', 'dyn-unc-released', 'dual', 'tdds'] as const).filter(name => metrics.includes(name));
  if (windowed.length === 0) return;
  const refuse = (description: string) => invalidFields(what, [{field: 'score_window', description}]);
  if (!(Number.isInteger(window) && window >= 2))
    throw refuse(`must be a whole number of at least 2 epochs for ${windowed.join(', ')}, it is ${window}`);
  if (windowed.includes('dyn-unc-released') && window >= numEpochs)
    throw refuse(
      `must be less than the ${numEpochs} epochs used for dyn-unc-released, which leaves out the last window; it is ${window}`,
    );
}

/** The library's caller may hand in anything; columns read back from a log are right. */
function checkColumns(
  epochs: EpochDynamics[],
  {numInstances, needsLogits}: MapShape,
  numClasses: number,
  labels?: Int32Array,
): void {
  const numLogits = epochs[0].logits.length;
  epochs.forEach(({pTrue, isCorrect, logits}, e) => {
    const wrong = [
      ['p_true', pTrue.length, numInstances],
      ['correct', isCorrect.length, numInstances],
      ...(needsLogits ? ([['logits', logits.length, numLogits]] as const) : []),
    ].find(([, found, wanted]) => found !== wanted);
    if (!wrong) return;
    const [name, found, wanted] = wrong;
    const description = `must have as many values as the instances and the first epoch ask for, ${wanted}; it has ${found}`;
    throw invalidFields(what, [{field: `epochs[${e}].${name}`, description}]);
  });
  if (needsLogits && labels?.length !== numInstances)
    throw invalidFields(what, [
      {field: 'labels', description: `must be ${numInstances} gold classes, current number is ${labels?.length ?? 0}`},
    ]);
  const wrong = needsLogits ? labels!.findIndex(label => label < 0 || label >= numClasses) : -1;
  if (wrong >= 0)
    throw invalidFields(what, [
      {
        field: `labels[${wrong}]`,
        description: `must be within 0 to ${numClasses - 1}, current value is ${labels![wrong]}`,
      },
    ]);
}

function logitsNotKept(metrics: readonly LogitMetric[]): FtftError {
  return new FtftError(
    'FAILED_PRECONDITION',
    `${what}: ${metrics.join(', ')} ${metrics.length === 1 ? 'needs' : 'need'} the logits of the run, and it kept none; leave ${metrics.length === 1 ? 'it' : 'them'} out, or train anew with its logits kept`,
    {reason: 'LOGITS_NOT_KEPT', metadata: {metrics: metrics.join(',')}},
  );
}
