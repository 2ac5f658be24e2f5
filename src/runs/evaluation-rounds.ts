// A run's log → its rounds of evaluation that stand, in order: what was made and not discarded later.
import type {Evaluation} from '../pipeline/types.js';
import type {EventLog} from './store.js';

export async function evaluationRounds(log: EventLog, runId: string): Promise<Evaluation[][]> {
  let rounds: Evaluation[][] = [];
  for (const {event} of await log.readKinds(runId, ['evaluations-made', 'epochs-discarded'])) {
    if (event.kind === 'evaluations-made') rounds.push(event.evaluations);
    if (event.kind === 'epochs-discarded') rounds = rounds.filter(([{steps}]) => steps <= event.steps);
  }
  return rounds;
}
