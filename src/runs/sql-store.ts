// An SQL database → runs, leases and events in it. All times are the database's.
import {FtftError} from '../errors.js';
import {decodeEvent, encodeEvent, epochOf} from './event-codec.js';
import {readRun, recordOf} from './run-row.js';
import {heldStates, isHeld, isTerminal, mayBecome, type RunState, terminalStates} from './run-state.js';
import type {Row, Sql} from './sql.js';
import type {EpochMark, EventLog, Lease, LeaseQueue, MakeChange, RunStore, Store, StoredRun} from './store.js';
import type {LogEvent, RunKind, RunRecord, StoredEvent} from './types.js';

const inSql = (states: readonly RunState[]) => `(${states.map(state => `'${state}'`).join(', ')})`;
const held = inSql(heldStates);
const terminal = inSql(terminalStates);
const has = {
  run: '1 = 1',
  log: 'exists (select 1 from events where run_id = runs.id and seq < runs.next_seq - 1)',
  model: `record like '%"modelUri":"%'`,
};
/** A log is removed piece by piece: it may be large. */
const eventsPerRemoval = 500;
/** Every reader wants the place in the queue: runs that are ahead, and the run itself. */
const columns = `runs.*, case state when 'PENDING' then (
    select count(*) from runs ahead where ahead.state = 'PENDING' and (ahead.priority > runs.priority
      or (ahead.priority = runs.priority and ahead.created_at <= runs.created_at))) else 0 end as queue_position`;

export function createSqlStore(sql: Sql): Store {
  return {
    runs: new SqlRunStore(sql),
    leases: new SqlLeaseQueue(sql),
    log: new SqlEventLog(sql),
    transaction: body => sql.transaction(body),
    lock: what => sql.lock(what),
  };
}

class SqlRunStore implements RunStore {
  constructor(private readonly sql: Sql) {}

  insert({run, work, lostLeases}: StoredRun, request?: {id: string; digest: string}): Promise<RunRecord> {
    return this.sql.transaction(async () => {
      await this.sql.lock('runs');
      const {id, uid, kind, state, spec} = run;
      if (await this.get(id)) throw runExists(id, 'there is a run of this name');
      const map = await this.sql.row('select id from data_maps where run = ? limit 1', id);
      if (map) throw runExists(id, `dataMaps/${map.id} was made of a run of this name, which was deleted`);
      const row = await this.sql.row(`select ${this.sql.now} as now, coalesce(max(created_at), 0) as last from runs`);
      const createTime = Math.max(Number(row!.now), Number(row!.last) + 1);
      const stored = {
        run: {...run, updateTime: createTime},
        work: {...work, pendingSince: createTime},
        lostLeases,
      };
      await this.sql.run(
        `insert into runs (id, uid, request_id, request_digest, kind, state, priority, created_at, record, caller,
           ended_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[id, uid, request?.id ?? null, request?.digest ?? null, kind, state, spec.priority, createTime],
        ...[recordOf(stored), run.caller ?? null, isTerminal(state) ? createTime : null],
      );
      return (await this.get(id))!.run;
    });
  }

  async get(id: string): Promise<StoredRun | undefined> {
    const row = await this.sql.row(`select ${columns} from runs where id = ?`, id);
    return row && readRun(row);
  }

  async endedFor(milliseconds: number, what: keyof typeof has, limit: number): Promise<RunRecord[]> {
    const rows = await this.sql.rows(
      `select ${columns} from runs where state in ${terminal} and ${has[what]}
         and coalesce(ended_at, created_at) <= ${this.sql.now} - ? order by coalesce(ended_at, created_at) limit ?`,
      milliseconds,
      limit,
    );
    return rows.map(row => readRun(row).run);
  }

  async remove(id: string): Promise<void> {
    await this.sql.transaction(async () => {
      await this.sql.run('delete from events where run_id = ?', id);
      await this.sql.run('delete from runs where id = ?', id);
    });
  }

  async hold(id: string): Promise<void> {
    await this.sql.row(`select id from runs where id = ?${this.sql.forUpdate}`, id);
  }

  async findByRequest(requestId: string): Promise<{runId: string; digest: string} | undefined> {
    const row = await this.sql.row('select id, request_digest from runs where request_id = ?', requestId);
    return row && {runId: String(row.id), digest: String(row.request_digest)};
  }

  async list(limit: number, before = Number.MAX_SAFE_INTEGER): Promise<RunRecord[]> {
    const list = `select ${columns} from runs where created_at < ? order by created_at desc limit ?`;
    return (await this.sql.rows(list, before, limit)).map(row => readRun(row).run);
  }

  async countByKindAndState(): Promise<{kind: RunKind; state: RunState; count: number}[]> {
    const rows = await this.sql.rows('select kind, state, count(*) as count from runs group by kind, state');
    return rows.map(({kind, state, count}) => ({
      kind: kind as RunKind,
      state: state as RunState,
      count: Number(count),
    }));
  }

  async countUnfinished(caller?: string): Promise<number> {
    const row = await this.sql.row(
      `select count(*) as count from runs where state not in ${terminal}${caller === undefined ? '' : ' and caller = ?'}`,
      ...(caller === undefined ? [] : [caller]),
    );
    return Number(row!.count);
  }
}

class SqlLeaseQueue implements LeaseQueue {
  constructor(private readonly sql: Sql) {}

  async claim(owner: string, leaseMs: number): Promise<StoredRun | undefined> {
    const {now, skipLocked} = this.sql;
    const row = await this.sql.row(
      `update runs set attempt = attempt + 1, state = 'RUNNING', version = version + 1,
         lease_owner = ?, lease_until = ${now} + ?, append_key = null
       where id = (
         select id from runs where state = 'PENDING' order by priority desc, created_at limit 1${skipLocked})
       returning *, 0 as queue_position`,
      owner,
      leaseMs,
    );
    return row && readRun(row);
  }

  async renew({runId, attempt}: Lease, leaseMs: number): Promise<RunState | undefined> {
    const row = await this.sql.row(
      `update runs set lease_until = ${this.sql.now} + ?
       where id = ? and attempt = ? and state in ${held} returning state`,
      leaseMs,
      runId,
      attempt,
    );
    return row && (row.state as RunState);
  }

  async findLost(isDead: (owner: string) => boolean): Promise<StoredRun[]> {
    const rows = await this.sql.rows(
      `select ${columns}, case when lease_until < ${this.sql.now} then 1 else 0 end as is_over
       from runs where state in ${held}`,
    );
    const isLost = ({lease_owner, is_over}: Row): boolean => is_over === 1 || isDead(String(lease_owner));
    return rows.filter(isLost).map(readRun);
  }

  async nextEndMs(): Promise<number | undefined> {
    const row = await this.sql.row(`select min(lease_until) - ${this.sql.now} as ms from runs where state in ${held}`);
    return typeof row?.ms === 'number' || typeof row?.ms === 'string' ? Number(row.ms) : undefined;
  }

  async heldBy(owner: string): Promise<Lease[]> {
    const rows = await this.sql.rows(`select id, attempt from runs where state in ${held} and lease_owner = ?`, owner);
    return rows.map(({id, attempt}) => ({runId: String(id), attempt: Number(attempt)}));
  }
}

class SqlEventLog implements EventLog {
  constructor(private readonly sql: Sql) {}

  append(target: Lease | {runId: string}, change: MakeChange, key?: string): Promise<StoredEvent[] | undefined> {
    const {runId} = target;
    return this.sql.transaction(async () => {
      const row = await this.sql.row(
        `select ${columns}, ${this.sql.now} as now from runs where id = ?${this.sql.forUpdate}`,
        runId,
      );
      if (!row) return undefined;
      const before = readRun(row);
      if (key !== undefined && 'attempt' in target && row.attempt === target.attempt && row.append_key === key)
        return await this.read(runId, Number(row.append_seq), Number(row.next_seq) - Number(row.append_seq));
      if ('attempt' in target && (row.attempt !== target.attempt || !isHeld(before.run.state))) return undefined;
      const time = Number(row.now);
      const {stored, events} = change(before, time);
      const firstSequence = Number(row.next_seq);
      await this.write(before, {...stored, run: {...stored.run, updateTime: time}}, firstSequence + events.length);
      if (key !== undefined)
        await this.sql.run('update runs set append_key = ?, append_seq = ? where id = ?', key, firstSequence, runId);
      const attempt = Number(row.attempt);
      // A run-changed event holds the run as this transaction leaves it.
      const current = readRun((await this.sql.row(`select ${columns} from runs where id = ?`, runId))!).run;
      const appended: StoredEvent[] = [];
      for (const [i, given] of events.entries()) {
        const event: LogEvent = given.kind === 'run-changed' ? {kind: 'run-changed', run: current} : given;
        const sequence = firstSequence + i;
        await this.sql.run(
          'insert into events (run_id, seq, attempt, kind, epoch, body) values (?, ?, ?, ?, ?, ?)',
          ...[runId, sequence, attempt, event.kind, epochOf(event) ?? null, encodeEvent(event, time)],
        );
        appended.push({sequence, attempt, time, event});
      }
      return appended;
    });
  }

  private async write(before: StoredRun, after: StoredRun, nextSequence: number): Promise<void> {
    const {id, state} = after.run;
    if (state !== before.run.state && !mayBecome(before.run.state, state))
      throw new Error(`Run ${id} must not become ${state}, it is ${before.run.state}`);
    const lease = isHeld(state) ? '' : ', lease_owner = null, lease_until = null';
    const end = isTerminal(state) ? (after.run.endTime ?? null) : null;
    await this.sql.run(
      `update runs set state = ?, record = ?, version = version + 1, lost_leases = ?, next_seq = ?, ended_at = coalesce(ended_at, ?)${lease} where id = ?`,
      ...[state, recordOf(after), after.lostLeases, nextSequence, end, id],
    );
  }

  async read(runId: string, sequence: number, limit: number): Promise<StoredEvent[]> {
    const rows = await this.sql.rows(
      'select seq, attempt, body from events where run_id = ? and seq >= ? order by seq limit ?',
      ...[runId, sequence, limit],
    );
    return rows.map(storedEvent);
  }

  async readKinds(runId: string, kinds: LogEvent['kind'][]): Promise<StoredEvent[]> {
    const places = kinds.map(() => '?').join(', ');
    const select = `select seq, attempt, body from events where run_id = ? and kind in (${places}) order by seq`;
    return (await this.sql.rows(select, runId, ...kinds)).map(storedEvent);
  }

  async removeAllButLast(runId: string): Promise<void> {
    const last = await this.lastSequence(runId);
    const [first] = await this.read(runId, 1, 1);
    for (let end = first?.sequence ?? last; end < last; ) {
      end = Math.min(end + eventsPerRemoval, last);
      await this.sql.run('delete from events where run_id = ? and seq < ?', runId, end);
    }
  }

  async lastSequence(runId: string): Promise<number> {
    const row = await this.sql.row('select next_seq - 1 as last from runs where id = ?', runId);
    return Number(row?.last ?? 0);
  }

  async epochMarks(runId: string): Promise<EpochMark[]> {
    const rows = await this.sql.rows(
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

const storedEvent = ({seq, attempt, body}: Row): StoredEvent => ({
  sequence: Number(seq),
  attempt: Number(attempt),
  ...decodeEvent(body as Uint8Array),
});

function runExists(id: string, why: string): FtftError {
  return new FtftError('ALREADY_EXISTS', `Cannot make run ${id}: ${why}; take another name`, {
    reason: 'RUN_EXISTS',
    resource: {type: 'Run', name: `runs/${id}`},
  });
}
