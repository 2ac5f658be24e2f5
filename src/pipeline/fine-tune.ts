// The one training loop that stages 2 and 5 share: a classifier and instances in, training events and dynamics out.
import {epochBatches} from '../data/batches.js';
import type {Batch} from '../data/types.js';
import {FtftError} from '../errors.js';
import type {Classifier, StepResult} from '../model/classifier.js';
import {checkTraining} from './check-training.js';
import {watchRounds} from './early-stopping.js';
import {EpochRecorder} from './epoch-recorder.js';
import {evaluate} from './evaluate.js';
import {isEvaluationDue, learningRateAt} from './schedule.js';
import {TrainingWarnings} from './training-warnings.js';
import type {
  EpochDynamics,
  Evaluation,
  TokenizedDataset,
  TrainingDynamics,
  TrainingEvent,
  TrainingOptions,
  Watch,
} from './types.js';

/** Batches of one epoch, which together visit every trained instance once. */
export type EpochBatches = (epoch: number) => Iterable<Batch>;

/**
 * Trains on the instances (ascending indices of the dataset) for totalSteps updates, epoch after epoch, or until early stopping ends it.
 * Dynamics are of the training forward pass, before the update that used the instance: they cost no second pass. An epoch counts when
 * every instance was visited; a last one that is not whole is dropped, and an event says so.
 *
 * Weights, state() and dynamics are those of the latest event while the caller holds it, so state() taken at an `epoch` or a `checkpoint`
 * event is what a later call needs beside `resume` to go on as if nothing had happened, and weights() at an `evaluations` event are those
 * that were evaluated. The classifier ends with its last weights: keep-best.ts gives it back its best ones.
 *
 * Throws INVALID_ARGUMENT/INVALID_FIELD for lengths, early stopping and resume points that cannot be, FAILED_PRECONDITION/SELECTION_EMPTY
 * for no instances, FAILED_PRECONDITION/LOSS_NOT_FINITE at the first loss that is NaN or infinite, and the signal's reason before a step
 * or an evaluation batch.
 */
export async function* fineTune(
  classifier: Classifier,
  dataset: TokenizedDataset,
  instances: Int32Array,
  options: TrainingOptions,
  batchesOf: EpochBatches = epoch => epochBatches(dataset, instances, {...options, epoch}),
): AsyncGenerator<TrainingEvent, TrainingDynamics> {
  checkTraining(instances, options);
  const {totalSteps, signal, resume, isCheckpointDue} = options;
  const labels = Int32Array.from(instances, i => dataset.labels[i]);
  const warnings = new TrainingWarnings(labels, options);
  const rounds = new Rounds(classifier, options, warnings);
  const epochs = [...(resume?.committedEpochs ?? [])];
  let steps = resume?.steps ?? 0;
  if (resume && rounds.areDue(steps) && rounds.lastSteps < steps) yield await rounds.next(steps, epochs);

  let partialEpoch = resume?.partialEpoch;
  while (steps < totalSteps && !rounds.areOver) {
    const epoch = epochs.length;
    yield {kind: 'epoch-started', epoch};
    const recorder = new EpochRecorder(dataset, instances, partialEpoch);
    let numTrained = Math.ceil(recorder.numVisited / options.batchSize);
    let seconds = partialEpoch?.seconds ?? 0;
    partialEpoch = undefined;
    const checkpoint = (): TrainingEvent => ({
      kind: 'checkpoint',
      epoch,
      steps,
      partialEpoch: {...recorder.partial, seconds},
    });
    let began = performance.now();
    for (const batch of batchesOf(epoch)) {
      if (numTrained-- > 0) continue;
      signal?.throwIfAborted();
      const learningRate = learningRateAt(steps, options);
      const result = checkLoss(await classifier.trainStep(batch, {step: steps, learningRate}), steps, learningRate);
      const trained = performance.now();
      recorder.record(batch, result.logits, result.loss);
      steps++;
      const dynamicsSeconds = secondsSince(trained);
      const stepSeconds = secondsSince(began);
      seconds += stepSeconds;
      yield stepEvent(batch, result, {steps, learningRate, seconds: stepSeconds, dynamicsSeconds});
      if (recorder.isWhole || steps === totalSteps) break;
      if (isCheckpointDue?.()) yield checkpoint();
      if (rounds.areDue(steps)) {
        try {
          yield await rounds.next(steps, epochs);
        } catch (error) {
          if (signal?.aborted && isCheckpointDue?.()) yield checkpoint();
          throw error;
        }
      }
      if (rounds.areOver) break;
      began = performance.now();
    }
    const warned = warnings.epoch(recorder.meanLoss, steps, steps === totalSteps || rounds.areOver);
    if (recorder.isWhole) {
      const {dynamics, meanLoss: trainLoss} = recorder;
      epochs.push(dynamics);
      yield {kind: 'epoch', epoch, steps, trainLoss, dynamics, seconds, warnings: warned};
    } else {
      const {numVisited: visited} = recorder;
      yield {kind: 'partial-epoch-dropped', epoch, visited, numInstances: instances.length, warnings: warned};
    }
    if (rounds.areDue(steps) && rounds.lastSteps < steps) yield await rounds.next(steps, epochs);
  }
  return {instances, labels, numClasses: dataset.numClasses, epochs};
}

/** Evaluations at their intervals, and what follows from them. */
class Rounds {
  private readonly made: Evaluation[][];
  private watch: Watch | undefined;

  constructor(
    private readonly classifier: Classifier,
    private readonly options: TrainingOptions,
    private readonly warnings: TrainingWarnings,
  ) {
    this.made = [...(options.resume?.rounds ?? [])];
    this.look();
  }

  get lastSteps(): number {
    return this.made.at(-1)?.[0].steps ?? 0;
  }

  get areOver(): boolean {
    return this.watch?.isOver ?? false;
  }

  areDue(steps: number): boolean {
    const {evaluationSets, totalSteps, evaluationIntervalSteps} = this.options;
    return evaluationSets.length > 0 && isEvaluationDue(steps, totalSteps, evaluationIntervalSteps);
  }

  async next(steps: number, epochs: EpochDynamics[]): Promise<TrainingEvent> {
    const {evaluationSets, signal, totalSteps} = this.options;
    const began = performance.now();
    const committedEpochs = epochs.length;
    const evaluations = await evaluate(this.classifier, evaluationSets, {steps, committedEpochs, signal});
    this.made.push(evaluations);
    this.look();
    const isLast = steps === totalSteps || this.areOver;
    const warnings = this.warnings.round(this.kept(), epochs.at(-1), steps, isLast);
    const watch = this.watch && {watch: this.watch};
    return {kind: 'evaluations', steps, committedEpochs, evaluations, seconds: secondsSince(began), warnings, ...watch};
  }

  private look(): void {
    const {earlyStopping} = this.options;
    if (earlyStopping && this.made.length > 0) this.watch = watchRounds(this.made, earlyStopping);
  }

  /** Of the weights that would be kept now. */
  private kept(): Evaluation[] {
    const {watch, made} = this;
    return made.find(([{steps}]) => steps === watch?.bestSteps) ?? made[made.length - 1];
  }
}

type StepEvent = Extract<TrainingEvent, {kind: 'step'}>;

function stepEvent(
  {batchSize: instances, length, attentionMask}: Batch,
  {loss, gradNorm}: StepResult,
  at: Pick<StepEvent, 'steps' | 'learningRate' | 'seconds' | 'dynamicsSeconds'>,
): StepEvent {
  const realTokens = attentionMask.reduce((sum, bit) => sum + bit, 0);
  return {kind: 'step', ...at, loss, gradNorm, instances, tokens: instances * length, realTokens};
}

function checkLoss(result: StepResult, step: number, learningRate: number): StepResult {
  if (Number.isFinite(result.loss)) return result;
  throw new FtftError(
    'FAILED_PRECONDITION',
    `Cannot go on training: the loss must be finite, at step ${step + 1} it was ${result.loss} (learning rate ${learningRate.toExponential(3)}, gradient norm ${result.gradNorm}); try a lower learning rate`,
    {reason: 'LOSS_NOT_FINITE', metadata: {step: String(step + 1), learning_rate: String(learningRate)}},
  );
}

const secondsSince = (began: number): number => (performance.now() - began) / 1000;
