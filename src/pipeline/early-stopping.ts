// Rounds of evaluation in; which was the best by what is watched, and whether training is to stop, out. Nothing else is remembered, so that
// a run that is taken up again judges as one that was never interrupted.
import type {EarlyStopping, Evaluation, EvaluationSet, Watch} from './types.js';

/**
 * After the last of the rounds, one at least. An equal score is no new best; after `patience` rounds without a new best training is to stop.
 * FTFT's paper: patience 2 on the mean over the development sets out of distribution.
 */
export function watchRounds(rounds: Evaluation[][], stopping: EarlyStopping): Watch {
  let best = 0;
  const scores = rounds.map(round => scoreOf(round, stopping));
  for (let round = 1; round < rounds.length; round++) if (isBetter(scores[round], scores[best], stopping)) best = round;
  const last = rounds.length - 1;
  return {
    score: scores[last],
    isBest: best === last,
    bestScore: scores[best],
    bestSteps: rounds[best][0].steps,
    roundsSinceBest: last - best,
    isOver: last - best >= stopping.patience,
  };
}

/** Over the watched splits. */
export function scoreOf(round: Evaluation[], stopping: EarlyStopping): number {
  const values = round.filter(({split}) => stopping.splits.includes(split)).map(metricValue[stopping.metric]);
  if (stopping.aggregate === 'mean') return values.reduce((sum, value) => sum + value, 0) / values.length;
  return stopping.metric === 'loss' ? Math.max(...values) : Math.min(...values);
}

const metricValue: Record<EarlyStopping['metric'], (evaluation: Evaluation) => number> = {
  accuracy: ({accuracy}) => accuracy,
  'macro-f1': ({macroF1}) => macroF1,
  loss: ({loss}) => loss,
};

/** A score that is no number is worse than any other. */
function isBetter(score: number, best: number, {metric}: EarlyStopping): boolean {
  const gain = metric === 'loss' ? best - score : score - best;
  return gain > 0 || (Number.isNaN(best) && !Number.isNaN(score));
}

/** What to watch where nothing is said: the sets out of distribution, the paper's choice, or all where there is none. */
export function defaultSplits(sets: Pick<EvaluationSet, 'split' | 'isOutOfDistribution'>[]): string[] {
  const ood = sets.filter(({isOutOfDistribution}) => isOutOfDistribution);
  return (ood.length > 0 ? ood : sets).map(({split}) => split);
}
