// Steps of one attempt in; progress, cost, mean loss and an estimate of the time left out.
import type {TrainingEvent} from '../pipeline/types.js';
import type {EnergyMeter} from './energy-meter.js';
import type {Live} from './run-changes.js';
import type {Spent} from './trainer-protocol.js';
import type {Phase, Phases, RunRecord, TrainingCost} from './types.js';

type Step = Extract<TrainingEvent, {kind: 'step'}>;

const lossWindow = 10;
const timeWindow = 20;

export class LiveProgress {
  private readonly losses: number[] = [];
  private readonly stepSeconds: number[] = [];
  private evaluationSeconds = 0;
  private steps: number;
  private made = 0;
  private instances = 0;
  private tokens = 0;
  private realTokens = 0;
  private spent: Spent | undefined;
  private readonly joulesBefore: number;

  /** run: as it was when the attempt began; began: when its child took the device. */
  constructor(
    private readonly run: RunRecord,
    private readonly began: number,
    private readonly energy?: EnergyMeter,
  ) {
    this.steps = run.progress.steps;
    this.joulesBefore = energy?.joules() ?? 0;
  }

  step({steps, loss, instances, tokens, realTokens, seconds}: Step): void {
    this.steps = steps;
    this.made++;
    this.instances += instances;
    this.tokens += tokens;
    this.realTokens += realTokens;
    keepLast(this.losses, loss, lossWindow);
    keepLast(this.stepSeconds, seconds, timeWindow);
  }

  evaluation(seconds: number): void {
    this.evaluationSeconds = seconds;
  }

  /** Of the attempt so far. What is handled late, behind later steps, does not turn it back. */
  spend(spent: Spent): void {
    const total = ({phases}: Spent) => Object.values(phases).reduce((sum, {ms}) => sum + ms, 0);
    if (!this.spent || total(spent) >= total(this.spent)) this.spent = spent;
  }

  at(now: number): Live {
    return {
      steps: this.steps,
      trainLoss: mean(this.losses),
      estimatedRemainingMs: this.estimate(),
      cost: this.cost(now),
    };
  }

  private cost(now: number): Live['cost'] {
    const {run, spent, energy} = this;
    const {cost} = run;
    const flops = spent ? Object.values(spent.phases).reduce((sum, phase) => sum + phase.flops, 0) : 0;
    const peak = Math.max(cost.peakMemoryBytes ?? 0, energy?.deviceMemoryBytes() ?? spent?.peakMemoryBytes ?? 0);
    return {
      acceleratorMs: cost.acceleratorMs + Math.max(0, now - this.began),
      trainedInstances: cost.trainedInstances + this.instances,
      trainedTokens: cost.trainedTokens + this.tokens,
      flops: cost.flops + flops,
      steps: (cost.steps ?? 0) + this.made,
      trainedRealTokens: (cost.trainedRealTokens ?? 0) + this.realTokens,
      ...(peak > 0 && {peakMemoryBytes: peak}),
      ...this.energySpent(),
      ...((spent || cost.phases) && {phases: sumPhases(cost.phases, spent?.phases)}),
    };
  }

  private energySpent(): Pick<TrainingCost, 'energy'> {
    const {energy} = this.run.cost;
    if (!this.energy) return energy ? {energy} : {};
    const joules = (energy?.joules ?? 0) + this.energy.joules() - this.joulesBefore;
    return {energy: {joules, source: this.energy.source}};
  }

  private estimate(): number | undefined {
    const secondsPerStep = mean(this.stepSeconds);
    if (secondsPerStep === undefined) return undefined;
    const {totalSteps} = this.run.progress;
    const {earlyStopping, spec} = this.run;
    const interval = earlyStopping?.evaluationIntervalSteps ?? spec.evaluationIntervalSteps;
    const rounds = Math.ceil(totalSteps / interval) - Math.floor(this.steps / interval);
    const seconds = (totalSteps - this.steps) * secondsPerStep + rounds * this.evaluationSeconds;
    return Math.round(1000 * seconds);
  }
}

const phaseNames: Phase[] = ['loading', 'training', 'dynamics', 'evaluation', 'checkpoint'];

function sumPhases(...parts: (Phases | undefined)[]): Phases {
  const sum = (name: Phase, key: 'ms' | 'flops') => parts.reduce((total, part) => total + (part?.[name][key] ?? 0), 0);
  const entries = phaseNames.map(name => [name, {ms: sum(name, 'ms'), flops: sum(name, 'flops')}]);
  return Object.fromEntries(entries) as Phases;
}

function keepLast(values: number[], value: number, count: number): void {
  values.push(value);
  if (values.length > count) values.shift();
}

function mean(values: number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}
