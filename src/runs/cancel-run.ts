// A run and a wish to cancel it in; the run as it is then, and what that added to its log, out.
import {FtftError} from '../errors.js';
import {notFound} from './not-found.js';
import {cancelling} from './run-changes.js';
import {cancelledByCaller} from './run-errors.js';
import type {MakeChange, Store} from './store.js';
import type {RunRecord, StoredEvent} from './types.js';

/** Cancelling what is cancelled is no error. etag: '' for any; ABORTED/ETAG_MISMATCH, FAILED_PRECONDITION/RUN_NOT_CANCELLABLE. */
export async function cancelRun(
  store: Store,
  id: string,
  etag: string,
): Promise<{run: RunRecord; events: StoredEvent[]}> {
  return await store.transaction(async () => {
    const run = (await store.runs.get(id))?.run;
    if (!run) throw notFound('Run', id);
    const resource = {type: 'Run', name: `runs/${id}`} as const;
    if (etag !== '' && etag !== run.etag)
      throw new FtftError(
        'ABORTED',
        `Cannot cancel runs/${id}: etag must be ${run.etag}, the run's own, current value is ${etag}; read the run again`,
        {reason: 'ETAG_MISMATCH', resource},
      );
    if (run.state === 'CANCELLING' || run.state === 'CANCELLED') return {run, events: []};
    if (run.state === 'SUCCEEDED' || run.state === 'FAILED')
      throw new FtftError(
        'FAILED_PRECONDITION',
        `Cannot cancel runs/${id}: it must not have ended, it is ${run.state}`,
        {
          reason: 'RUN_NOT_CANCELLABLE',
          resource,
        },
      );
    const cancel: MakeChange = (stored, now) => cancelling(stored, cancelledByCaller, now);
    const events = (await store.log.append({runId: id}, cancel)) ?? [];
    return {run: (await store.runs.get(id))!.run, events};
  });
}
