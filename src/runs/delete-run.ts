// The name of a run that has ended in; the run as it was out, with its record, log and instances gone from the database.
import {FtftError} from '../errors.js';
import {checkEtag} from './change-run.js';
import {notFound} from './not-found.js';
import {isTerminal} from './run-state.js';
import type {SqlCatalog} from './sql-catalog.js';
import type {Store} from './store.js';
import type {RunRecord} from './types.js';

export interface DeleteOptions {
  /** '' for any. */
  etag: string;
  allowMissing: boolean;
}

/** undefined where there is none and that is allowed. NOT_FOUND, ABORTED/ETAG_MISMATCH, FAILED_PRECONDITION/RUN_NOT_TERMINAL. */
export async function deleteRun(
  store: Store,
  catalog: SqlCatalog,
  id: string,
  {etag, allowMissing}: DeleteOptions,
): Promise<RunRecord | undefined> {
  return await store.transaction(async () => {
    await store.runs.hold(id);
    const run = (await store.runs.get(id))?.run;
    if (!run && allowMissing) return undefined;
    if (!run) throw notFound('Run', id);
    checkEtag('delete', run, etag);
    if (!isTerminal(run.state))
      throw new FtftError(
        'FAILED_PRECONDITION',
        `Cannot delete runs/${id}: it must have ended, it is ${run.state}; cancel it first`,
        {reason: 'RUN_NOT_TERMINAL', resource: {type: 'Run', name: `runs/${id}`}},
      );
    await store.runs.remove(id);
    await catalog.addRemoval('run', run.uid);
    // Its maps stay readable: they name its instances.
    if (!(await catalog.hasDataMaps(id))) await catalog.removeInstances(id);
    return run;
  });
}
