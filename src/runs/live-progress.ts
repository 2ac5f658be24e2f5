// Steps of one attempt in; progress, cost, mean loss and an estimate of the time left out.
import type {TrainingEvent} from '../pipeline/types.js';
import type {Live} from './run-changes.js';
import type {RunRecord} from './types.js';

type Step = Extract<TrainingEvent, {kind: 'step'}>;

const lossWindow = 10;
const timeWindow = 20;

export class LiveProgress {
  private readonly losses: number[] = [];
  private readonly stepSeconds: number[] = [];
  private evaluationSeconds = 0;
  private steps: number;
  private instances = 0;
  private tokens = 0;
  private flops = 0;

  /** run: as it was when the attempt began; began: when its child took the device. */
  constructor(
    private readonly run: RunRecord,
    private readonly began: number,
  ) {
    this.steps = run.progress.steps;
  }

  step({steps, loss, instances, tokens, seconds}: Step, flops: number): void {
    this.steps = steps;
    this.instances += instances;
    this.tokens += tokens;
    this.flops = flops;
    keepLast(this.losses, loss, lossWindow);
    keepLast(this.stepSeconds, seconds, timeWindow);
  }

  evaluation(seconds: number, flops: number): void {
    this.evaluationSeconds = seconds;
    this.flops = flops;
  }

  at(now: number): Live {
    const {cost} = this.run;
    return {
      steps: this.steps,
      trainLoss: mean(this.losses),
      estimatedRemainingMs: this.estimate(),
      cost: {
        acceleratorMs: cost.acceleratorMs + Math.max(0, now - this.began),
        trainedInstances: cost.trainedInstances + this.instances,
        trainedTokens: cost.trainedTokens + this.tokens,
        flops: cost.flops + this.flops,
      },
    };
  }

  private estimate(): number | undefined {
    const secondsPerStep = mean(this.stepSeconds);
    if (secondsPerStep === undefined) return undefined;
    const {totalSteps} = this.run.progress;
    const interval = this.run.spec.evaluationIntervalSteps;
    const rounds = Math.ceil(totalSteps / interval) - Math.floor(this.steps / interval);
    const seconds = (totalSteps - this.steps) * secondsPerStep + rounds * this.evaluationSeconds;
    return Math.round(1000 * seconds);
  }
}

function keepLast(values: number[], value: number, count: number): void {
  values.push(value);
  if (values.length > count) values.shift();
}

function mean(values: number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}
