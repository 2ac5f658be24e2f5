// A main run's specification → the run of plain fine-tuning on everything (ERM) that it would replace.
import {ermSteps} from '../pipeline/schedule.js';
import type {RunStore} from './store.js';
import type {RunRecord, TrainingSpec} from './types.js';

const perPage = 200;
/** Runs that are looked at, newest first. */
const mostRuns = 2000;

type Task = Pick<
  TrainingSpec,
  'dataset' | 'trainSplit' | 'model' | 'layers' | 'maxLength' | 'epochs' | 'batchSize' | 'precision'
>;

/** Of the same model, data, length and precision, succeeded; of the same seed where there is one, else the latest; undefined: none. */
export async function findErmRun(runs: RunStore, spec: TrainingSpec, numTrain: number): Promise<RunRecord | undefined> {
  let found: RunRecord | undefined;
  for await (const run of latestRuns(runs)) {
    if (!isErm(run, spec, numTrain)) continue;
    if (run.spec.seed === spec.seed) return run;
    found ??= run;
  }
  return found;
}

/** Newest first. */
export async function* latestRuns(runs: RunStore): AsyncGenerator<RunRecord> {
  let before: number | undefined;
  for (let seen = 0; seen < mostRuns; seen += perPage) {
    const page = await runs.list(perPage, before);
    yield* page;
    if (page.length < perPage) return;
    before = page[page.length - 1].createTime;
  }
}

function isErm({kind, state, method, earlyStopping, spec, progress}: RunRecord, task: Task, numTrain: number): boolean {
  if (state !== 'SUCCEEDED' || earlyStopping) return false;
  const isOnAll = kind === 'REFERENCE' || (kind === 'MAIN' && method === 'erm');
  return (
    isOnAll &&
    progress.totalSteps === ermSteps(numTrain, spec.batchSize, spec.epochs) &&
    spec.dataset === task.dataset &&
    spec.trainSplit === task.trainSplit &&
    spec.model === task.model &&
    spec.layers === task.layers &&
    spec.maxLength === task.maxLength &&
    spec.epochs === task.epochs &&
    spec.batchSize === task.batchSize &&
    spec.precision === task.precision
  );
}
