// A file → an SQLite database of this program's schema, whose failures are FtftErrors.
import Libsql from 'libsql';
import {FtftError} from '../errors.js';

/** Value of a column; blobs come back as ArrayBuffer or Buffer. */
export type Value = string | number | null | Uint8Array | ArrayBuffer;
export type Row = Record<string, Value>;

/** Migration i leads from user_version i to i + 1. */
const migrations = [
  `create table settings (name text primary key, value blob not null) strict;
   create table runs (
     id text primary key, uid text not null unique, request_id text unique, request_digest text,
     kind text not null, state text not null, priority integer not null default 0, created_at integer not null unique,
     record text not null, version integer not null default 1,
     attempt integer not null default 0, lost_leases integer not null default 0,
     lease_owner text, lease_until integer, next_seq integer not null default 1) strict;
   create index runs_by_state on runs (state, priority desc, created_at);
   create table events (
     run_id text not null, seq integer not null, attempt integer not null, kind text not null, epoch integer,
     body blob not null, primary key (run_id, seq)) strict;
   create index epoch_marks on events (run_id, seq, kind, epoch)
     where kind in ('epoch-started', 'epoch-committed', 'epochs-discarded');
   create table datasets (
     id text primary key, uid text not null unique, created_at integer not null unique, record text not null) strict;
   create table splits (
     dataset text not null, name text not null, position integer not null, file text not null, record text not null,
     primary key (dataset, name)) strict;
   create table data_maps (
     id text primary key, request_id text unique, request_digest text, file text not null, identity text not null,
     record text not null) strict;`,
  `create table run_instances (
     run_id text not null, part integer not null, body blob not null, primary key (run_id, part)) strict;`,
];

export class Sqlite {
  private readonly database: Libsql.Database;
  private readonly statements = new Map<string, Libsql.Statement>();
  private depth = 0;
  private isOpen = true;

  /** ':memory:' for a database that is gone with the process. */
  constructor(file: string) {
    this.database = new Libsql(file);
    this.rows('pragma busy_timeout = 5000');
    this.rows('pragma journal_mode = WAL');
    this.database.exec('pragma synchronous = FULL');
    this.migrate(file);
  }

  /** All rows, so that no statement stays open: an open one would hold the write lock. */
  rows(sql: string, ...values: Value[]): Row[] {
    return explained(() => this.prepared(sql).all(...values) as Row[]);
  }

  row(sql: string, ...values: Value[]): Row | undefined {
    return this.rows(sql, ...values)[0];
  }

  /** Number of rows changed. Not for statements with a returning clause. */
  run(sql: string, ...values: Value[]): number {
    return explained(() => this.prepared(sql).run(...values).changes);
  }

  /** A transaction inside a transaction is part of it. */
  transaction<T>(body: () => T): T {
    if (this.depth > 0) return body();
    this.rows('begin immediate');
    this.depth++;
    try {
      const result = body();
      explained(() => this.database.exec('commit'));
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after some failures, such as a full disk.
      if (this.database.inTransaction) this.database.exec('rollback');
      throw error;
    } finally {
      this.depth--;
    }
  }

  close(): void {
    this.isOpen = false;
    this.statements.clear();
    this.database.close();
  }

  private prepared(sql: string): Libsql.Statement {
    if (!this.isOpen)
      throw new FtftError('UNAVAILABLE', 'Cannot use the store: the server is shutting down; try again', {
        reason: 'DRAINING',
        retryAfterMs: 1000,
      });
    const found = this.statements.get(sql);
    if (found) return found;
    const made = this.database.prepare(sql);
    this.statements.set(sql, made);
    return made;
  }

  private migrate(file: string): void {
    this.transaction(() => {
      const version = Number(this.row('pragma user_version')?.user_version);
      if (version > migrations.length)
        throw new FtftError(
          'FAILED_PRECONDITION',
          `Cannot open ${file}: its schema must be of version ${migrations.length} or older, it is of version ${version}; use the program that wrote it, or a newer one`,
          {reason: 'STORE_UNAVAILABLE'},
        );
      for (const migration of migrations.slice(version)) this.database.exec(migration);
      this.database.exec(`pragma user_version = ${migrations.length}`);
    });
  }
}

function explained<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw explain(error);
  }
}

function explain(error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return error;
  if (error.code === 'SQLITE_FULL')
    return new FtftError(
      'RESOURCE_EXHAUSTED',
      'Cannot write to the store: the disk is full; free some space and try again',
      {reason: 'DISK_FULL'},
      {cause: error},
    );
  if (/^SQLITE_(BUSY|LOCKED|IOERR|CANTOPEN|READONLY|NOTADB|CORRUPT)/.test(error.code))
    return new FtftError(
      'UNAVAILABLE',
      `Cannot use the store: ${error.message}`,
      {reason: 'STORE_UNAVAILABLE', retryAfterMs: 1000},
      {cause: error},
    );
  return error;
}
