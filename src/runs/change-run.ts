// A run and what a caller wants of it in; the run as it is then, and what that added to its log, out.
import {FtftError} from '../errors.js';
import {notFound} from './not-found.js';
import {cancelling, resumed, suspending} from './run-changes.js';
import {cancelledByCaller} from './run-errors.js';
import type {RunState} from './run-state.js';
import type {MakeChange, Store} from './store.js';
import type {RunRecord, StoredEvent} from './types.js';

interface Wish {
  verb: string;
  /** States in which it is fulfilled, or about to be: no error, and no change. */
  done: RunState[];
  /** States that forbid it. */
  refused: RunState[];
  /** What must hold instead. */
  rule: string;
  reason: string;
  change: MakeChange;
}

const wishes = {
  cancel: {
    verb: 'cancel',
    done: ['CANCELLING', 'CANCELLED'],
    refused: ['SUCCEEDED', 'FAILED'],
    rule: 'it must not have ended',
    reason: 'RUN_NOT_CANCELLABLE',
    change: (stored, now) => cancelling(stored, cancelledByCaller, now),
  },
  suspend: {
    verb: 'suspend',
    done: ['SUSPENDING', 'SUSPENDED'],
    refused: ['CANCELLING', 'CANCELLED', 'SUCCEEDED', 'FAILED'],
    rule: 'it must be pending or running',
    reason: 'RUN_NOT_SUSPENDABLE',
    change: suspending,
  },
  resume: {
    verb: 'resume',
    done: ['PENDING', 'RUNNING'],
    refused: ['CANCELLING', 'CANCELLED', 'SUCCEEDED', 'FAILED'],
    rule: 'it must be suspended',
    reason: 'RUN_NOT_RESUMABLE',
    change: resumed,
  },
} satisfies Record<string, Wish>;

/** etag: '' for any. NOT_FOUND, ABORTED/ETAG_MISMATCH, FAILED_PRECONDITION with the wish's reason. */
export async function changeRun(
  store: Store,
  wish: keyof typeof wishes,
  id: string,
  etag: string,
): Promise<{run: RunRecord; events: StoredEvent[]}> {
  const {verb, done, refused, rule, reason, change}: Wish = wishes[wish];
  return await store.transaction(async () => {
    await store.runs.hold(id);
    const run = (await store.runs.get(id))?.run;
    if (!run) throw notFound('Run', id);
    checkEtag(verb, run, etag);
    if (done.includes(run.state)) return {run, events: []};
    if (refused.includes(run.state))
      throw new FtftError('FAILED_PRECONDITION', `Cannot ${verb} runs/${id}: ${rule}, it is ${run.state}`, {
        reason,
        resource: {type: 'Run', name: `runs/${id}`},
      });
    const events = (await store.log.append({runId: id}, change)) ?? [];
    return {run: (await store.runs.get(id))!.run, events};
  });
}

export function checkEtag(verb: string, {id, etag}: RunRecord, wanted: string): void {
  if (wanted === '' || wanted === etag) return;
  throw new FtftError(
    'ABORTED',
    `Cannot ${verb} runs/${id}: etag must be ${etag}, the run's own, current value is ${wanted}; read the run again`,
    {reason: 'ETAG_MISMATCH', resource: {type: 'Run', name: `runs/${id}`}},
  );
}
