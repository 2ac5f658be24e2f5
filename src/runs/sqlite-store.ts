// An SQLite database → runs, leases and events in it. Times are this machine's clock: SQLite serves one machine.

import {FtftError} from '../errors.js';
import {decodeEvent, encodeEvent, epochOf} from './event-codec.js';
import {readRun, recordOf} from './run-row.js';
import {isTerminal, mayBecome, type RunState} from './run-state.js';
import type {Row, Sqlite} from './sqlite.js';
import type {Change, EpochMark, EventLog, Lease, LeaseQueue, RunStore, Store, StoredRun} from './store.js';
import type {LogEvent, RunKind, RunRecord, StoredEvent} from './types.js';

type Clock = () => number;

const isHeld = (state: RunState): boolean => state === 'RUNNING' || state === 'CANCELLING';
/** Every reader wants the place in the queue: runs that are ahead, and the run itself. */
const columns = `runs.*, case state when 'PENDING' then (
    select count(*) from runs ahead where ahead.state = 'PENDING' and (ahead.priority > runs.priority
      or (ahead.priority = runs.priority and ahead.created_at <= runs.created_at))) else 0 end as queue_position`;

export function createSqliteStore(sqlite: Sqlite, clock: Clock = Date.now): Store {
  return {
    runs: new SqliteRunStore(sqlite, clock),
    leases: new SqliteLeaseQueue(sqlite, clock),
    log: new SqliteEventLog(sqlite, clock),
    transaction: body => sqlite.transaction(body),
  };
}

class SqliteRunStore implements RunStore {
  constructor(
    private readonly sqlite: Sqlite,
    private readonly clock: Clock,
  ) {}

  insert(stored: StoredRun, request?: {id: string; digest: string}): RunRecord {
    return this.sqlite.transaction(() => {
      const {id, uid, kind, state, spec} = stored.run;
      if (this.get(id)) throw runExists(id);
      const last = Number(this.sqlite.row('select coalesce(max(created_at), 0) as time from runs')!.time);
      const createTime = Math.max(this.clock(), last + 1);
      this.sqlite.run(
        `insert into runs (id, uid, request_id, request_digest, kind, state, priority, created_at, record)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[id, uid, request?.id ?? null, request?.digest ?? null, kind, state, spec.priority, createTime],
        recordOf({...stored, run: {...stored.run, updateTime: createTime}}),
      );
      return this.get(id)!.run;
    });
  }

  get(id: string): StoredRun | undefined {
    const row = this.sqlite.row(`select ${columns} from runs where id = ?`, id);
    return row && readRun(row);
  }

  findByRequest(requestId: string): {runId: string; digest: string} | undefined {
    const row = this.sqlite.row('select id, request_digest from runs where request_id = ?', requestId);
    return row && {runId: String(row.id), digest: String(row.request_digest)};
  }

  list(limit: number, before = Number.MAX_SAFE_INTEGER): RunRecord[] {
    const sql = `select ${columns} from runs where created_at < ? order by created_at desc limit ?`;
    return this.sqlite.rows(sql, before, limit).map(row => readRun(row).run);
  }

  countByKindAndState(): {kind: RunKind; state: RunState; count: number}[] {
    const rows = this.sqlite.rows('select kind, state, count(*) as count from runs group by kind, state');
    return rows.map(({kind, state, count}) => ({
      kind: kind as RunKind,
      state: state as RunState,
      count: Number(count),
    }));
  }

  countUnfinished(): number {
    const counts = this.countByKindAndState().filter(({state}) => !isTerminal(state));
    return counts.reduce((sum, {count}) => sum + count, 0);
  }
}

class SqliteLeaseQueue implements LeaseQueue {
  constructor(
    private readonly sqlite: Sqlite,
    private readonly clock: Clock,
  ) {}

  claim(owner: string, leaseMs: number): StoredRun | undefined {
    const row = this.sqlite.row(
      `update runs set attempt = attempt + 1, state = 'RUNNING', version = version + 1, lease_owner = ?, lease_until = ?
       where id = (select id from runs where state = 'PENDING' order by priority desc, created_at limit 1)
       returning *, 0 as queue_position`,
      owner,
      this.clock() + leaseMs,
    );
    return row && readRun(row);
  }

  renew({runId, attempt}: Lease, leaseMs: number): RunState | undefined {
    const row = this.sqlite.row(
      `update runs set lease_until = ? where id = ? and attempt = ? and state in ('RUNNING', 'CANCELLING') returning state`,
      this.clock() + leaseMs,
      runId,
      attempt,
    );
    return row && (row.state as RunState);
  }

  findLost(isDead: (owner: string) => boolean): StoredRun[] {
    const rows = this.sqlite.rows(`select ${columns} from runs where state in ('RUNNING', 'CANCELLING')`);
    const isLost = ({lease_owner, lease_until}: Row): boolean =>
      Number(lease_until) < this.clock() || isDead(String(lease_owner));
    return rows.filter(isLost).map(readRun);
  }
}

class SqliteEventLog implements EventLog {
  constructor(
    private readonly sqlite: Sqlite,
    private readonly clock: Clock,
  ) {}

  append(target: Lease | {runId: string}, change: (stored: StoredRun) => Change): StoredEvent[] | undefined {
    const {runId} = target;
    return this.sqlite.transaction(() => {
      const row = this.sqlite.row(`select ${columns} from runs where id = ?`, runId);
      if (!row) return undefined;
      const before = readRun(row);
      if ('attempt' in target && (row.attempt !== target.attempt || !isHeld(before.run.state))) return undefined;
      const time = this.clock();
      const {stored, events} = change(before);
      const after = {...stored, run: {...stored.run, updateTime: time}};
      const {state} = after.run;
      if (state !== before.run.state && !mayBecome(before.run.state, state))
        throw new Error(`Run ${runId} must not become ${state}, it is ${before.run.state}`);
      const firstSequence = Number(row.next_seq);
      this.sqlite.run(
        `update runs set state = ?, record = ?, version = version + 1, lost_leases = ?, next_seq = ?,
           lease_owner = case ? when 1 then lease_owner end, lease_until = case ? when 1 then lease_until end where id = ?`,
        ...[state, recordOf(after), after.lostLeases, firstSequence + events.length],
        ...[Number(isHeld(state)), Number(isHeld(state)), runId],
      );
      const attempt = Number(row.attempt);
      // A run-changed event holds the run as this transaction leaves it.
      const current = readRun(this.sqlite.row(`select ${columns} from runs where id = ?`, runId)!).run;
      return events.map((event, i) => {
        const whole: LogEvent = event.kind === 'run-changed' ? {kind: 'run-changed', run: current} : event;
        const sequence = firstSequence + i;
        this.sqlite.run(
          'insert into events (run_id, seq, attempt, kind, epoch, body) values (?, ?, ?, ?, ?, ?)',
          ...[runId, sequence, attempt, whole.kind, epochOf(whole) ?? null, encodeEvent(whole, time)],
        );
        return {sequence, attempt, time, event: whole};
      });
    });
  }

  read(runId: string, sequence: number, limit: number): StoredEvent[] {
    const sql = 'select seq, attempt, body from events where run_id = ? and seq >= ? order by seq limit ?';
    return this.sqlite.rows(sql, runId, sequence, limit).map(({seq, attempt, body}) => ({
      sequence: Number(seq),
      attempt: Number(attempt),
      ...decodeEvent(new Uint8Array(body as ArrayBuffer)),
    }));
  }

  lastSequence(runId: string): number {
    const row = this.sqlite.row('select next_seq - 1 as last from runs where id = ?', runId);
    return Number(row?.last ?? 0);
  }

  epochMarks(runId: string): EpochMark[] {
    const rows = this.sqlite.rows(
      `select seq, kind, epoch from events
       where run_id = ? and kind in ('epoch-started', 'epoch-committed', 'epochs-discarded') order by seq`,
      runId,
    );
    return rows.map(({seq, kind, epoch}) => ({
      sequence: Number(seq),
      kind: kind as EpochMark['kind'],
      epoch: Number(epoch),
    }));
  }
}

function runExists(id: string): FtftError {
  return new FtftError('ALREADY_EXISTS', `Cannot make run ${id}: there is a run of this name`, {
    reason: 'RUN_EXISTS',
    resource: {type: 'Run', name: `runs/${id}`},
  });
}
