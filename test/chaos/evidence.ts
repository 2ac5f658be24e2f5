// The service's database, read past the service: its runs, its events, and who wrote them.
import Libsql from 'libsql';
import pg from 'pg';
import {decodeEvent} from '../../src/runs/event-codec.js';
import type {LogEvent} from '../../src/runs/types.js';

export interface RunRow {
  id: string;
  requestId: string | undefined;
  state: string;
  attempt: number;
  nextSequence: number;
  leaseOwner: string | undefined;
  /** How long the lease has still to run, by the database's clock; negative when it is over, undefined without one. */
  leaseMs: number | undefined;
}

export interface EventRow {
  sequence: number;
  attempt: number;
  event: LogEvent;
  /** Process that wrote it, where the database knows. */
  writer: string | undefined;
}

export interface Evidence {
  runs(): Promise<RunRow[]>;
  events(runId: string): Promise<EventRow[]>;
  /** Process that made each attempt at a run, where the database knows. */
  claims(runId: string): Promise<Map<number, string>>;
  close(): Promise<void>;
}

type Row = Record<string, unknown>;

const runs = (
  now: string,
) => `select id, request_id, state, attempt, next_seq, lease_owner, lease_until - ${now} as lease_ms
  from runs order by created_at`;

const toRun = (row: Row): RunRow => ({
  id: String(row.id),
  requestId: row.request_id === null ? undefined : String(row.request_id),
  state: String(row.state),
  attempt: Number(row.attempt),
  nextSequence: Number(row.next_seq),
  leaseOwner: row.lease_owner === null ? undefined : String(row.lease_owner),
  leaseMs: row.lease_ms === null ? undefined : Number(row.lease_ms),
});

const toEvent = (row: Row): EventRow => ({
  sequence: Number(row.seq),
  attempt: Number(row.attempt),
  event: decodeEvent(bytesOf(row.body)).event,
  writer: row.writer ? String(row.writer) : undefined,
});

const bytesOf = (body: unknown): Uint8Array =>
  body instanceof ArrayBuffer ? new Uint8Array(body) : (body as Uint8Array);

export function sqliteEvidence(file: string): Evidence {
  const database = new Libsql(file);
  database.exec('pragma busy_timeout = 5000');
  const all = (sql: string, ...values: string[]) => database.prepare(sql).all(...values) as Row[];
  return {
    runs: async () => all(runs("cast(round(unixepoch('subsec') * 1000) as integer)")).map(toRun),
    events: async id =>
      all(`select seq, attempt, body, '' as writer from events where run_id = ? order by seq`, id).map(toEvent),
    claims: async () => new Map(),
    async close() {
      database.close();
    },
  };
}

/** What every process calls itself in its connections is kept beside what it writes. */
const audit = `
  create table chaos_writes (run_id text, seq bigint, writer text, primary key (run_id, seq));
  create table chaos_claims (run_id text, attempt bigint, writer text);
  create function chaos_write() returns trigger language plpgsql as $$ begin
    insert into chaos_writes values (new.run_id, new.seq, current_setting('application_name')); return null; end $$;
  create function chaos_claim() returns trigger language plpgsql as $$ begin
    insert into chaos_claims values (new.id, new.attempt, current_setting('application_name')); return null; end $$;
  create trigger chaos_write after insert on events for each row execute function chaos_write();
  create trigger chaos_claim after update on runs for each row when (new.attempt <> old.attempt)
    execute function chaos_claim();`;

/** Once the service has made its schema. */
export async function postgresEvidence(url: string): Promise<Evidence> {
  const pool = new pg.Pool({connectionString: url, max: 2, connectionTimeoutMillis: 5000, query_timeout: 20_000});
  pool.on('error', () => {});
  await pool.query(audit);
  const all = async (sql: string, ...values: string[]) => (await pool.query(sql, values)).rows as Row[];
  return {
    runs: async () => (await all(runs('(extract(epoch from clock_timestamp()) * 1000)::bigint'))).map(toRun),
    events: async id =>
      (
        await all(
          `select seq, attempt, body, writer from events left join chaos_writes using (run_id, seq)
           where run_id = $1 order by seq`,
          id,
        )
      ).map(toEvent),
    async claims(id) {
      const rows = await all('select attempt, writer from chaos_claims where run_id = $1', id);
      return new Map(rows.map(({attempt, writer}) => [Number(attempt), String(writer)]));
    },
    close: () => pool.end(),
  };
}
