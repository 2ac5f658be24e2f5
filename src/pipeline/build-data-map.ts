// Stage 3 of 6: training dynamics in; how each instance was learnt out. Sample deviation by default, as in FTFT; cartography's is
// the population one.
import {FtftError, invalidFields} from '../errors.js';
import type {DataMap, EpochDynamics, TrainingDynamics, VariabilityEstimator} from './types.js';

export interface DataMapOptions {
  /** 0-based, inclusive; all epochs when undefined. */
  epochs?: {first: number; last: number};
  variabilityEstimator?: VariabilityEstimator;
}

/**
 * Equals libtorch, which FTFT scores with: deviations in doubles, rounded to float32 once; means as a sequential float32 sum and
 * one division. FAILED_PRECONDITION/NO_COMMITTED_EPOCHS without dynamics, INVALID_ARGUMENT/INVALID_FIELD for epochs that are not there.
 */
export function buildDataMap(
  dynamics: Pick<TrainingDynamics, 'epochs'> & {instances: ArrayLike<number>},
  {epochs: range, variabilityEstimator = 'sample'}: DataMapOptions = {},
): DataMap {
  const {first, last} = checkRange(range, dynamics.epochs.length);
  const epochs = dynamics.epochs.slice(first, last + 1);
  const pTrue = epochs.map(epoch => epoch.pTrue);
  const numInstances = dynamics.instances.length;
  return {
    numInstances,
    epochs: {first, last},
    variabilityEstimator,
    confidence: means(pTrue, numInstances),
    variability: deviations(pTrue, numInstances, variabilityEstimator),
    ...countCorrect(epochs, numInstances),
  };
}

function means(pTrue: Float32Array[], numInstances: number): Float32Array {
  const mean = new Float32Array(numInstances);
  for (const column of pTrue) for (let i = 0; i < numInstances; i++) mean[i] += column[i];
  for (let i = 0; i < numInstances; i++) mean[i] /= pTrue.length;
  return mean;
}

/** Two passes over doubles, then one rounding: float32 moments would turn saturated instances into noise and break their ties. */
function deviations(pTrue: Float32Array[], numInstances: number, estimator: VariabilityEstimator): Float32Array {
  const numEpochs = pTrue.length;
  const mean = new Float64Array(numInstances);
  for (const column of pTrue) for (let i = 0; i < numInstances; i++) mean[i] += column[i];
  for (let i = 0; i < numInstances; i++) mean[i] /= numEpochs;
  const squares = new Float64Array(numInstances);
  for (const column of pTrue) for (let i = 0; i < numInstances; i++) squares[i] += (column[i] - mean[i]) ** 2;
  const spread = spreads[estimator];
  return Float32Array.from(squares, sum => spread(sum, numEpochs));
}

/** Spread from the sum of squared differences to the mean over E epochs; 0 / 0 is NaN where it is not defined. */
const spreads: Record<VariabilityEstimator, (squares: number, numEpochs: number) => number> = {
  sample: (squares, numEpochs) => Math.sqrt(squares / (numEpochs - 1)),
  population: (squares, numEpochs) => Math.sqrt(squares / numEpochs),
  'active-bias-ci': (squares, numEpochs) => {
    const variance = squares / numEpochs;
    return Math.sqrt(variance + variance ** 2 / (numEpochs - 1));
  },
};

function countCorrect(
  epochs: EpochDynamics[],
  numInstances: number,
): Pick<DataMap, 'correctness' | 'forgettingEvents'> {
  const correctness = new Uint32Array(numInstances);
  const forgettingEvents = new Uint32Array(numInstances);
  for (const [e, {isCorrect}] of epochs.entries()) {
    const before = epochs[e - 1]?.isCorrect;
    for (let i = 0; i < numInstances; i++) {
      correctness[i] += isCorrect[i];
      if (before && before[i] > isCorrect[i]) forgettingEvents[i]++;
    }
  }
  return {correctness, forgettingEvents};
}

function checkRange(range: DataMapOptions['epochs'], numEpochs: number): {first: number; last: number} {
  if (numEpochs === 0)
    throw new FtftError(
      'FAILED_PRECONDITION',
      'Cannot build a data map: the run must have committed at least one whole epoch, it has none',
      {reason: 'NO_COMMITTED_EPOCHS'},
    );
  const {first, last} = range ?? {first: 0, last: numEpochs - 1};
  const isRight = Number.isInteger(first) && Number.isInteger(last) && 0 <= first && first <= last && last < numEpochs;
  if (isRight) return {first, last};
  throw invalidFields('Cannot build a data map', [
    {
      field: 'epochs',
      description: `must be a range within 0 to ${numEpochs - 1}, current value is ${first} to ${last}`,
    },
  ]);
}
