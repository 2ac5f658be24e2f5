// What a trainer does, and how long that takes, in; what it has spent so far, and its rates at the end, out.
import {RateFit, type Rates} from '../pipeline/predict-cost.js';
import type {TrainingEvent} from '../pipeline/types.js';
import type {MeteredClassifier} from './metered-classifier.js';
import type {Spent} from './trainer-protocol.js';
import type {Phase, Phases} from './types.js';

type StepEvent = Extract<TrainingEvent, {kind: 'step'}>;

export class TrainerMeter {
  private readonly seconds: Record<Phase, number> = {
    loading: 0,
    training: 0,
    dynamics: 0,
    evaluation: 0,
    checkpoint: 0,
  };
  private readonly steps = new RateFit();
  private numSteps = 0;
  private numEpochs = 0;
  private epochSeconds = 0;
  private tokensSeconds = 0;
  private classifier: MeteredClassifier | undefined;

  /** Everything since the process began was loading; tokensSeconds: of it, what went into texts. */
  loaded(classifier: MeteredClassifier, tokensSeconds: number): void {
    this.classifier = classifier;
    this.tokensSeconds = tokensSeconds;
    this.seconds.loading = process.uptime();
  }

  /** loopSeconds: of the step and of telling it. */
  step({seconds, dynamicsSeconds}: StepEvent, loopSeconds: number): void {
    this.seconds.training += seconds - dynamicsSeconds;
    this.seconds.dynamics += dynamicsSeconds;
    // At the first step the graph is made.
    if (this.numSteps++ > 0) this.steps.add(this.classifier?.flops.lastStep ?? 0, loopSeconds);
  }

  evaluated(seconds: number): void {
    this.seconds.evaluation += seconds;
  }

  saved(seconds: number): void {
    this.seconds.checkpoint += seconds;
  }

  /** The dynamics of an epoch are in the log; with the checkpoint this took so long. */
  committed(seconds: number, checkpointSeconds: number): void {
    this.seconds.dynamics += seconds - checkpointSeconds;
    this.epochSeconds += seconds;
    this.numEpochs++;
  }

  get spent(): Spent {
    const flops = {training: this.classifier?.flops.training ?? 0, evaluation: this.classifier?.flops.evaluation ?? 0};
    // Whole microseconds: nothing shorter is known.
    const phase = (name: Phase, ofPhase = 0) => ({ms: Math.round(1e6 * this.seconds[name]) / 1e3, flops: ofPhase});
    const phases: Phases = {
      loading: phase('loading'),
      training: phase('training', flops.training),
      dynamics: phase('dynamics'),
      evaluation: phase('evaluation', flops.evaluation),
      checkpoint: phase('checkpoint'),
    };
    return {phases, peakMemoryBytes: 1024 * process.resourceUsage().maxRSS};
  }

  /** Of a training that was not interrupted, once it is over; undefined where it made no second step. Texts are tokens from now on. */
  rates(): Rates | undefined {
    const {numSteps, numEpochs, epochSeconds, steps} = this;
    const {numPredictions = 0, predictions} = this.classifier ?? {};
    if (!steps.rate) return undefined;
    const repeated = numSteps * steps.meanSeconds + numPredictions * (predictions?.meanSeconds ?? 0) + epochSeconds;
    return {
      step: steps.rate,
      ...(predictions?.rate && {prediction: predictions.rate}),
      epochSeconds: numEpochs === 0 ? 0 : epochSeconds / numEpochs,
      onceSeconds: Math.max(0, process.uptime() - this.tokensSeconds - repeated),
    };
  }
}
