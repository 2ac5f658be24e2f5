// The one training loop that stages 2 and 5 share: a classifier and instances in, training events and dynamics out.
import {epochBatches} from '../data/batches.js';
import type {Batch} from '../data/types.js';
import {FtftError} from '../errors.js';
import type {Classifier, StepResult} from '../model/classifier.js';
import {evaluate} from './evaluate.js';
import {argMax, goldProbability} from './logits.js';
import {isEvaluationDue, learningRateAt} from './schedule.js';
import type {EpochDynamics, TokenizedDataset, TrainingDynamics, TrainingEvent, TrainingOptions} from './types.js';

/** Batches of one epoch, which together visit every trained instance once. */
export type EpochBatches = (epoch: number) => Iterable<Batch>;

/**
 * Trains on the instances (ascending indices of the dataset) for exactly totalSteps updates, epoch after epoch. Dynamics are of
 * the training forward pass, before the update that used the instance: they cost no second pass. An epoch counts when every
 * instance was visited; a last one that is not whole is dropped, and an event says so.
 *
 * Weights, state() and dynamics are those of the latest event while the caller holds it, so state() taken at an `epoch` event is
 * what a later call needs beside `resume` to go on as if nothing had happened.
 *
 * Throws INVALID_ARGUMENT/INVALID_FIELD for lengths and resume points that cannot be, FAILED_PRECONDITION/SELECTION_EMPTY for no
 * instances, FAILED_PRECONDITION/LOSS_NOT_FINITE at the first loss that is NaN or infinite, and the signal's reason before a step
 * or an evaluation batch.
 */
export async function* fineTune(
  classifier: Classifier,
  dataset: TokenizedDataset,
  instances: Int32Array,
  options: TrainingOptions,
  batchesOf: EpochBatches = epoch => epochBatches(dataset, instances, {...options, epoch}),
): AsyncGenerator<TrainingEvent, TrainingDynamics> {
  checkLength(instances, options);
  const {totalSteps, evaluationIntervalSteps, signal, resume} = options;
  const epochs = [...(resume?.committedEpochs ?? [])];
  let steps = resume?.steps ?? 0;
  const evaluations = async (): Promise<TrainingEvent> => {
    const began = performance.now();
    const at = {steps, committedEpochs: epochs.length};
    const made = await evaluate(classifier, options.evaluationSets, {...at, signal});
    return {kind: 'evaluations', ...at, evaluations: made, seconds: secondsSince(began)};
  };
  const isDue = () => options.evaluationSets.length > 0 && isEvaluationDue(steps, totalSteps, evaluationIntervalSteps);
  if (resume && isDue() && (resume.evaluatedSteps ?? 0) < steps) yield await evaluations();

  while (steps < totalSteps) {
    const epoch = epochs.length;
    yield {kind: 'epoch-started', epoch};
    const recorder = new EpochRecorder(dataset, instances);
    let seconds = 0;
    let began = performance.now();
    for (const batch of batchesOf(epoch)) {
      signal?.throwIfAborted();
      const learningRate = learningRateAt(steps, options);
      const {loss, gradNorm, logits} = checkLoss(
        await classifier.trainStep(batch, {step: steps, learningRate}),
        steps,
        learningRate,
      );
      recorder.record(batch, logits, loss);
      steps++;
      const stepSeconds = secondsSince(began);
      seconds += stepSeconds;
      const tokens = batch.batchSize * batch.length;
      yield {
        kind: 'step',
        steps,
        loss,
        gradNorm,
        learningRate,
        instances: batch.batchSize,
        tokens,
        seconds: stepSeconds,
      };
      if (recorder.isWhole || steps === totalSteps) break;
      if (isDue()) yield await evaluations();
      began = performance.now();
    }
    if (recorder.isWhole) {
      epochs.push(recorder.dynamics);
      yield {kind: 'epoch', epoch, steps, trainLoss: recorder.meanLoss, dynamics: recorder.dynamics, seconds};
    } else {
      const {numVisited: visited} = recorder;
      yield {kind: 'partial-epoch-dropped', epoch, visited, numInstances: instances.length};
    }
    if (isDue()) yield await evaluations();
  }
  return {
    instances,
    labels: Int32Array.from(instances, i => dataset.labels[i]),
    numClasses: dataset.numClasses,
    epochs,
  };
}

/** Collects one epoch's columns, with a mask of what was visited: a row of zeros is a value like any other. */
class EpochRecorder {
  readonly dynamics: EpochDynamics;
  numVisited = 0;
  private readonly visited: Uint8Array;
  /** Row of an instance in the columns, by its index in the dataset. */
  private readonly rows: Int32Array;
  private lossSum = 0;

  constructor(
    private readonly dataset: TokenizedDataset,
    instances: Int32Array,
  ) {
    const n = instances.length;
    this.visited = new Uint8Array(n);
    this.rows = new Int32Array(dataset.labels.length).fill(-1);
    for (let row = 0; row < n; row++) this.rows[instances[row]] = row;
    this.dynamics = {
      pTrue: new Float32Array(n),
      isCorrect: new Uint8Array(n),
      logits: new Float32Array(n * dataset.numClasses),
    };
  }

  get isWhole(): boolean {
    return this.numVisited === this.visited.length;
  }

  /** Mean cross-entropy over the instances visited. */
  get meanLoss(): number {
    return this.lossSum / this.numVisited;
  }

  record({instances, batchSize}: Batch, logits: Float32Array, loss: number): void {
    const {numClasses, labels} = this.dataset;
    for (let b = 0; b < batchSize; b++) {
      const row = this.rows[instances[b]];
      const gold = labels[instances[b]];
      const start = b * numClasses;
      this.dynamics.pTrue[row] = goldProbability(logits, start, numClasses, gold);
      this.dynamics.isCorrect[row] = argMax(logits, start, numClasses) === gold ? 1 : 0;
      this.dynamics.logits.set(logits.subarray(start, start + numClasses), row * numClasses);
      this.numVisited += 1 - this.visited[row];
      this.visited[row] = 1;
    }
    this.lossSum += loss * batchSize;
  }
}

function checkLoss(result: StepResult, step: number, learningRate: number): StepResult {
  if (Number.isFinite(result.loss)) return result;
  throw new FtftError(
    'FAILED_PRECONDITION',
    `Cannot go on training: the loss must be finite, at step ${step + 1} it was ${result.loss} (learning rate ${learningRate.toExponential(3)}, gradient norm ${result.gradNorm}); try a lower learning rate`,
    {reason: 'LOSS_NOT_FINITE', metadata: {step: String(step + 1), learning_rate: String(learningRate)}},
  );
}

function checkLength(instances: Int32Array, {totalSteps, batchSize, resume}: TrainingOptions): void {
  if (instances.length === 0)
    throw new FtftError(
      'FAILED_PRECONDITION',
      'Cannot train: there must be at least one instance, the selection is empty',
      {
        reason: 'SELECTION_EMPTY',
      },
    );
  const stepsOfResume = (resume?.committedEpochs.length ?? 0) * Math.ceil(instances.length / batchSize);
  for (const [field, isRight, description] of [
    [
      'total_steps',
      Number.isInteger(totalSteps) && totalSteps > 0,
      `must be a whole number above 0, current value is ${totalSteps}`,
    ],
    [
      'resume.steps',
      resume === undefined ||
        (resume.steps <= totalSteps && (resume.steps === stepsOfResume || resume.steps === totalSteps)),
      `must be the steps of the epochs kept, ${stepsOfResume}, current value is ${resume?.steps}`,
    ],
  ] as const)
    if (!isRight)
      throw new FtftError('INVALID_ARGUMENT', `Cannot train: ${field} ${description}`, {
        reason: 'INVALID_FIELD',
        violations: [{field, description}],
      });
}

const secondsSince = (began: number): number => (performance.now() - began) / 1000;
