// A run's log → its rounds of evaluation that stand, in order: what was made and not discarded later.
import type {Evaluation} from '../pipeline/types.js';
import type {EventLog} from './store.js';
import type {RunRecord} from './types.js';

export async function evaluationRounds(
  log: EventLog,
  {id, spec}: Pick<RunRecord, 'id' | 'spec'>,
): Promise<Evaluation[][]> {
  let rounds: Evaluation[][] = [];
  for (const {event} of await log.readKinds(id, ['evaluations-made', 'epochs-discarded'])) {
    // Test sets are evaluated once training is over: that is no round.
    if (event.kind === 'evaluations-made' && !spec.testSplits?.includes(event.evaluations[0].split))
      rounds.push(event.evaluations);
    if (event.kind === 'epochs-discarded') rounds = rounds.filter(([{steps}]) => steps <= event.steps);
  }
  return rounds;
}
