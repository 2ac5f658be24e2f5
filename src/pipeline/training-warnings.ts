// What a training shows as it goes on in; the marks of one that will not give what was hoped for out, each once.
import type {
  EpochDynamics,
  Evaluation,
  TrainingOptions,
  TrainingWarning,
  TrainingWarningCode,
  WarningThresholds,
} from './types.js';

/** Our own choice: the paper gives no numbers. */
export const defaultWarningThresholds: WarningThresholds = {outOfDistributionGap: 0.05, lossDrop: 0.1};

/** Share of the budget from which on a mean training loss is judged. */
const learntBy = 3 / 4;
/** Share of the budget from which on a round of evaluation is judged; the last one is in any case. */
const settledBy = 1 / 2;

/** Smaller ones are 0 in float32. */
const leastProbability = 2 ** -149;

type Options = Pick<TrainingOptions, 'totalSteps' | 'baseline' | 'warningThresholds' | 'resume'>;

export class TrainingWarnings {
  private readonly warned: Set<TrainingWarningCode>;
  private readonly thresholds: WarningThresholds;
  /** Mean cross-entropy of one who knows nothing but how frequent the labels are. */
  private readonly guessLoss: number;

  /** labels: gold classes of the trained instances. */
  constructor(
    private readonly labels: Int32Array,
    private readonly options: Options,
  ) {
    this.warned = new Set(options.resume?.warned);
    this.thresholds = options.warningThresholds ?? defaultWarningThresholds;
    this.guessLoss = entropyOf(labels);
  }

  /** After an epoch, or what there was of the last one. isLast: training ends here, wherever in its budget. */
  epoch(meanLoss: number, steps: number, isLast: boolean): TrainingWarning[] {
    const most = (1 - this.thresholds.lossDrop) * this.guessLoss;
    const isJudged = isLast || steps >= learntBy * this.options.totalSteps;
    if (!isJudged || !(meanLoss >= most) || this.guessLoss === 0) return [];
    return this.once({
      code: 'NOT_CONVERGING',
      message:
        `The model does not converge on its ${this.labels.length} instances: mean training loss ${meanLoss.toFixed(3)} after ${steps} of ` +
        `${this.options.totalSteps} steps, where guessing by the labels gives ${this.guessLoss.toFixed(3)} (less than ${most.toFixed(3)} is wanted; our heuristic)`,
      steps,
    });
  }

  /** evaluations: of the weights that are kept so far; lastEpoch: the last whole one. */
  round(
    evaluations: Evaluation[],
    lastEpoch: EpochDynamics | undefined,
    steps: number,
    isLast: boolean,
  ): TrainingWarning[] {
    const ofLoss = isLast && lastEpoch ? this.epoch(meanLossOf(lastEpoch), steps, true) : [];
    return [...ofLoss, ...this.gap(evaluations, steps, isLast)];
  }

  private gap(evaluations: Evaluation[], steps: number, isLast: boolean): TrainingWarning[] {
    const {baseline, totalSteps} = this.options;
    if (!baseline || (!isLast && steps < settledBy * totalSteps)) return [];
    const splits = evaluations.map(({split}) => split).filter(split => baseline.some(other => other.split === split));
    const [own, erm] = [evaluations, baseline].map(round => gapOf(round.filter(({split}) => splits.includes(split))));
    if (!own || !erm) return [];
    const excess = own.gap - erm.gap;
    const noise = 2 * Math.sqrt(own.variance + erm.variance);
    if (!(excess > this.thresholds.outOfDistributionGap && excess > noise)) return [];
    return this.once({
      code: 'OUT_OF_DISTRIBUTION_GAP',
      message:
        `Out of distribution the model is far worse than in it: accuracy falls by ${points(own.gap)} points, by ${points(excess)} more than that ` +
        `of ERM (more than ${points(this.thresholds.outOfDistributionGap)} and than the noise, ${points(noise)}; our heuristic)`,
      steps,
    });
  }

  private once(warning: TrainingWarning): TrainingWarning[] {
    if (this.warned.has(warning.code)) return [];
    this.warned.add(warning.code);
    return [warning];
  }
}

/** Mean accuracy in distribution minus that out of it, and its binomial variance; undefined unless there are both. */
function gapOf(round: Evaluation[]): {gap: number; variance: number} | undefined {
  const [inside, outside] = [false, true].map(kind => round.filter(one => one.isOutOfDistribution === kind));
  if (inside.length === 0 || outside.length === 0) return undefined;
  const variance = (part: Evaluation[]) =>
    part.reduce((sum, {accuracy, instanceCount}) => sum + (accuracy * (1 - accuracy)) / instanceCount, 0) /
    part.length ** 2;
  return {gap: meanAccuracy(inside) - meanAccuracy(outside), variance: variance(inside) + variance(outside)};
}

const meanAccuracy = (round: Evaluation[]): number =>
  round.reduce((sum, {accuracy}) => sum + accuracy, 0) / round.length;

function meanLossOf({pTrue}: EpochDynamics): number {
  let sum = 0;
  for (const p of pTrue) sum -= Math.log(Math.max(p, leastProbability));
  return sum / pTrue.length;
}

function entropyOf(labels: Int32Array): number {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  let entropy = 0;
  for (const count of counts.values()) entropy -= (count / labels.length) * Math.log(count / labels.length);
  return entropy;
}

const points = (share: number): string => (100 * share).toFixed(1);
