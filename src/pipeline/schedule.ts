// Step counts in, learning rates and evaluation points out: the arithmetic of a training's length.

/** Optimizer updates of one pass; the last short batch is kept. */
export const stepsPerEpoch = (numInstances: number, batchSize: number): number => Math.ceil(numInstances / batchSize);

/** Updates of an ERM run: whole epochs over the whole train split. */
export const ermSteps = (numInstances: number, batchSize: number, epochs: number): number =>
  epochs * stepsPerEpoch(numInstances, batchSize);

/** A main run's budget: this share of the ERM length, rounded down, at least 1; 0.29 of 100 is 29, whatever the rounding of the product. */
export const budgetSteps = (ermLength: number, fraction: number): number =>
  Math.max(1, Math.floor(ermLength * fraction + 1e-9));

export interface Schedule {
  totalSteps: number;
  /** Updates over which the rate rises and falls, at least totalSteps; totalSteps when undefined. */
  scheduleSteps?: number;
  /** Peak. */
  learningRate: number;
  warmupRatio: number;
}

/** Rate of update `step`, counted from 0, over the T updates of the schedule: linear from 0 over int(ratio * T) updates, then linearly
 * towards 0 at T. The first update has rate 0. */
export function learningRateAt(step: number, schedule: Schedule): number {
  const {totalSteps, scheduleSteps: T = totalSteps, learningRate, warmupRatio} = schedule;
  const warmupSteps = Math.floor(warmupRatio * T);
  if (step < warmupSteps) return (learningRate * step) / warmupSteps;
  return learningRate * Math.max(0, (T - step) / (T - warmupSteps));
}

/** Whether an evaluation follows when `steps` updates have been made: at each multiple of the interval and at the end. */
export const isEvaluationDue = (steps: number, totalSteps: number, intervalSteps: number): boolean =>
  steps > 0 && (steps % intervalSteps === 0 || steps === totalSteps);

/** Evaluations of a training to its end. */
export const numEvaluations = (totalSteps: number, intervalSteps: number): number =>
  Math.ceil(totalSteps / intervalSteps);
