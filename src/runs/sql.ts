// What the store asks of a database: rows for SQL, in transactions that calls join by themselves. One schema and one SQL serve every
// engine; the few words that differ are here.
import {FtftError} from '../errors.js';

/** Value of a column. Whole numbers come back as numbers, bytes as a Uint8Array. */
export type Value = string | number | null | Uint8Array;
export type Row = Record<string, Value>;

export interface Sql {
  /** Expression for the database's own time in milliseconds since 1970: leases must not hang on the clocks of workers. */
  readonly now: string;
  /** After a select, inside a transaction: its rows stay as they are until the end. Empty where a transaction has the database to itself. */
  readonly forUpdate: string;
  /** The same, for rows that no other transaction has taken so. */
  readonly skipLocked: string;
  /** A question mark in the SQL stands for the next value. */
  rows(sql: string, ...values: Value[]): Promise<Row[]>;
  row(sql: string, ...values: Value[]): Promise<Row | undefined>;
  /** Number of rows changed. Not for statements with a returning clause. */
  run(sql: string, ...values: Value[]): Promise<number>;
  /** All or nothing. Calls made inside join, a transaction among them too. */
  transaction<T>(body: () => Promise<T>): Promise<T>;
  /** Inside a transaction: until its end no other one gets past the same name. */
  lock(name: string): Promise<void>;
  /** A word to the other processes that use the database, soon, or never: whoever waits has to poll too. */
  hint(word: string): void;
  /** onHint: a word of another process; undefined when some may have been missed. */
  listen(onHint: (word: string | undefined) => void): void;
  close(): Promise<void>;
}

/** What a call meets that comes after close(). */
export const storeClosed = (): FtftError =>
  new FtftError('UNAVAILABLE', 'Cannot use the store: the server is shutting down; try again', {
    reason: 'DRAINING',
    retryAfterMs: 1000,
  });
