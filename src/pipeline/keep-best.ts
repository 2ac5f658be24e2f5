// A training that evaluates in; the same events out, and at its end the weights of its best round, which early stopping keeps.
import type {NamedTensor} from '../data/types.js';
import type {Classifier} from '../model/classifier.js';
import type {Evaluation, TrainingDynamics, TrainingEvent} from './types.js';

export interface Kept {
  dynamics: TrainingDynamics;
  /** Of the best round; undefined without early stopping. */
  evaluations: Evaluation[] | undefined;
}

/** Holds a second copy of the weights while it trains. Without early stopping nothing is copied, and the last weights stay. */
export async function* keepBest(
  classifier: Classifier,
  training: AsyncGenerator<TrainingEvent, TrainingDynamics>,
): AsyncGenerator<TrainingEvent, Kept> {
  let best: {evaluations: Evaluation[]; weights: NamedTensor[]} | undefined;
  try {
    for (;;) {
      const {done, value} = await training.next();
      if (done) {
        if (best) putBack(classifier, best.weights);
        return {dynamics: value, evaluations: best?.evaluations};
      }
      if (value.kind === 'evaluations' && value.watch?.isBest)
        best = {evaluations: value.evaluations, weights: classifier.weights().map(copied)};
      yield value;
    }
  } finally {
    // Where the reader leaves early.
    await training.return(undefined as never);
  }
}

/** Moments of the optimizer stay as they are: training is over. */
export function putBack(classifier: Classifier, weights: NamedTensor[]): void {
  const names = new Set(weights.map(({name}) => name));
  classifier.restore([...weights, ...classifier.state().filter(({name}) => !names.has(name))]);
}

function copied({read, ...tensor}: NamedTensor): NamedTensor {
  const values = read().slice();
  return {...tensor, read: () => values};
}
