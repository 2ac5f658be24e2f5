// A row of the table runs ↔ the run in it: what has a column of its own is not repeated in the JSON.
import type {Row} from './sql.js';
import type {StoredRun, WorkState} from './store.js';
import type {RunKind, RunRecord, RunState} from './types.js';

type ColumnField = 'id' | 'uid' | 'etag' | 'kind' | 'state' | 'attempt' | 'createTime' | 'queuePosition';

interface Json {
  run: Omit<RunRecord, ColumnField>;
  work: WorkState;
}

export function recordOf({run, work}: StoredRun): string {
  const {id, uid, etag, kind, state, attempt, createTime, queuePosition, ...rest} = run;
  return JSON.stringify({run: rest, work} satisfies Json);
}

/** The etag covers the place in the queue, which changes without the row. */
export function readRun(row: Row): StoredRun {
  const {run, work} = JSON.parse(String(row.record)) as Json;
  const queuePosition = Number(row.queue_position);
  return {
    run: {
      ...run,
      id: String(row.id),
      uid: String(row.uid),
      etag: queuePosition === 0 ? String(row.version) : `${row.version}-${queuePosition}`,
      kind: row.kind as RunKind,
      state: row.state as RunState,
      attempt: Number(row.attempt),
      createTime: Number(row.created_at),
      queuePosition,
    },
    work,
    lostLeases: Number(row.lost_leases),
  };
}
