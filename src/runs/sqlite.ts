// A file → an SQLite database of this program's schema, whose failures are FtftErrors. One connection: transactions follow each other.
import {AsyncLocalStorage} from 'node:async_hooks';
import Libsql from 'libsql';
import {FtftError} from '../errors.js';
import {migrations as migrationsOf, newerSchema} from './schema.js';
import {type Row, type Sql, storeClosed, type Value} from './sql.js';

const migrations = migrationsOf({
  bytes: 'blob',
  integer: 'integer',
  tableEnd: ' strict',
  tuning: '',
  jsonText: (column, key) => `json_extract(${column}, '$.${key}')`,
});

export class Sqlite implements Sql {
  readonly forUpdate = '';
  readonly skipLocked = '';
  private readonly database: Libsql.Database;
  private readonly statements = new Map<string, Libsql.Statement>();
  /** Set inside a transaction, by which its own calls are known. */
  private readonly transactions = new AsyncLocalStorage<{isOver: boolean}>();
  /** Settles with the last call that was made: the next one waits for it. */
  private turn: Promise<unknown> = Promise.resolve();
  private isOpen = true;

  /** now: another clock, for tests. */
  constructor(
    file: string,
    readonly now = "cast(round(unixepoch('subsec') * 1000) as integer)",
  ) {
    this.database = new Libsql(file);
    this.all('pragma busy_timeout = 5000', []);
    this.all('pragma journal_mode = WAL', []);
    this.database.exec('pragma synchronous = FULL');
    this.migrate(file);
  }

  /** All rows, so that no statement stays open: an open one would hold the write lock. */
  async rows(sql: string, ...values: Value[]): Promise<Row[]> {
    return await this.inTurn(() => this.all(sql, values));
  }

  async row(sql: string, ...values: Value[]): Promise<Row | undefined> {
    return (await this.rows(sql, ...values))[0];
  }

  async run(sql: string, ...values: Value[]): Promise<number> {
    return await this.inTurn(() => explained(() => this.prepared(sql).run(...values).changes));
  }

  async transaction<T>(body: () => Promise<T>): Promise<T> {
    if (this.transactions.getStore()) return await body();
    return await this.after(async () => {
      this.all('begin immediate', []);
      const own = {isOver: false};
      try {
        const result = await this.transactions.run(own, body);
        explained(() => this.database.exec('commit'));
        return result;
      } catch (error) {
        // SQLite has rolled back by itself after some failures, such as a full disk.
        if (this.isOpen && this.database.inTransaction) this.database.exec('rollback');
        throw error;
      } finally {
        own.isOver = true;
      }
    });
  }

  /** Of several processes on one machine, each polls. */
  hint(): void {}

  listen(): void {}

  /** A transaction has the whole database to itself. */
  async lock(): Promise<void> {}

  async close(): Promise<void> {
    await this.after(async () => {
      this.isOpen = false;
      this.statements.clear();
      this.database.close();
    });
  }

  /** At once inside a transaction, else when those before have ended. */
  private async inTurn<T>(body: () => T): Promise<T> {
    const own = this.transactions.getStore();
    if (own?.isOver) throw new Error('A transaction was used after its end');
    return own ? body() : await this.after(async () => body());
  }

  private async after<T>(body: () => Promise<T>): Promise<T> {
    const done = this.turn.then(body);
    this.turn = done.catch(() => {});
    return await done;
  }

  private all(sql: string, values: Value[]): Row[] {
    const rows = explained(() => this.prepared(sql).all(...values) as Record<string, Value | ArrayBuffer>[]);
    for (const row of rows)
      for (const name in row) {
        const value = row[name];
        if (value instanceof ArrayBuffer) row[name] = new Uint8Array(value);
      }
    return rows as Row[];
  }

  private prepared(sql: string): Libsql.Statement {
    if (!this.isOpen) throw storeClosed();
    const found = this.statements.get(sql);
    if (found) return found;
    const made = this.database.prepare(sql);
    this.statements.set(sql, made);
    return made;
  }

  private migrate(file: string): void {
    this.all('begin immediate', []);
    const version = Number(this.all('pragma user_version', [])[0].user_version);
    if (version > migrations.length) {
      this.database.close();
      throw new FtftError('FAILED_PRECONDITION', newerSchema(file, migrations.length, version), {
        reason: 'STORE_UNAVAILABLE',
      });
    }
    explained(() => {
      for (const migration of migrations.slice(version)) this.database.exec(migration);
      this.database.exec(`pragma user_version = ${migrations.length}`);
      this.database.exec('commit');
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
