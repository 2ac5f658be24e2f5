// A connection string → a PostgreSQL database of this program's schema, whose failures are FtftErrors. Any number of processes share it.
import {AsyncLocalStorage} from 'node:async_hooks';
import {createHash} from 'node:crypto';
import pg from 'pg';
import {FtftError} from '../errors.js';
import {explainPostgres} from './postgres-errors.js';
import {Hints} from './postgres-hints.js';
import {migrations as migrationsOf, newerSchema} from './schema.js';
import {type Row, type Sql, storeClosed, type Value} from './sql.js';

const migrations = migrationsOf({
  bytes: 'bytea',
  integer: 'bigint',
  tableEnd: '',
  // Columns of floats do not compress, and trying takes most of the time of an append.
  jsonText: (column, key) => `${column}::json ->> '${key}'`,
  tuning: 'alter table events alter column body set storage external; alter table runs set (fillfactor = 70);',
});
const int8 = 20;
const connectMs = 5000;
/** A network that swallows everything must not hold a call for ever. */
const answerMs = 20_000;
/** A worker that is cut off inside a transaction lets go of its rows after this time. */
const begin = 'begin isolation level read committed; set local idle_in_transaction_session_timeout = 3000';

export interface PostgresOptions {
  /** Most connections at once; one more listens. */
  poolSize?: number;
  /** Of the database; another clock, for tests. */
  now?: string;
}

interface Transaction {
  client: pg.PoolClient;
  isOver: boolean;
}

export class Postgres implements Sql {
  readonly forUpdate = ' for update';
  readonly skipLocked = ' for update skip locked';
  private readonly hints: Hints;
  private readonly pool: pg.Pool;
  private readonly transactions = new AsyncLocalStorage<Transaction>();
  private isOpen = true;

  private constructor(
    url: string,
    poolSize: number,
    readonly now: string,
  ) {
    const config: pg.ClientConfig = {
      connectionString: url,
      connectionTimeoutMillis: connectMs,
      query_timeout: answerMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      types: {getTypeParser: parserOf as pg.CustomTypesConfig['getTypeParser']},
      application_name: 'ftft',
    };
    this.pool = new pg.Pool({...config, max: poolSize});
    // An idle connection that breaks is replaced by the next call.
    this.pool.on('error', () => {});
    this.pool.on('connect', client => void client.on('error', () => {}));
    this.hints = new Hints(config, payloads => this.notify(payloads));
  }

  /** Brings the schema up to date; of several processes that start at once, one does. FAILED_PRECONDITION for a newer schema. */
  static async open(
    url: string,
    {poolSize = 10, now = '(extract(epoch from clock_timestamp()) * 1000)::bigint'}: PostgresOptions = {},
  ): Promise<Postgres> {
    const postgres = new Postgres(url, poolSize, now);
    try {
      await postgres.migrate();
      return postgres;
    } catch (error) {
      await postgres.close();
      throw error;
    }
  }

  async rows(sql: string, ...values: Value[]): Promise<Row[]> {
    return (await this.query(sql, values)).rows as Row[];
  }

  async row(sql: string, ...values: Value[]): Promise<Row | undefined> {
    return (await this.rows(sql, ...values))[0];
  }

  async run(sql: string, ...values: Value[]): Promise<number> {
    return (await this.query(sql, values)).rowCount ?? 0;
  }

  async transaction<T>(body: () => Promise<T>): Promise<T> {
    if (this.transactions.getStore()) return await body();
    const client = await this.connect();
    const own: Transaction = {client, isOver: false};
    let isBroken = false;
    try {
      await explained(client.query(begin));
      const result = await this.transactions.run(own, body);
      const {command} = await explained(client.query('commit'));
      if (command !== 'COMMIT') throw new Error('A transaction went on after one of its statements had failed');
      return result;
    } catch (error) {
      isBroken = isUnavailable(error);
      // A connection that is broken, or that does not answer, is not asked again: the server takes back what it did.
      if (!isBroken) await client.query('rollback').catch(() => (isBroken = true));
      throw error;
    } finally {
      own.isOver = true;
      client.release(isBroken);
    }
  }

  async lock(name: string): Promise<void> {
    await this.rows('select pg_advisory_xact_lock(hashtext(current_schema()), ?)', lockKey(name));
  }

  hint(word: string): void {
    if (this.isOpen) this.hints.send(word);
  }

  listen(onHint: (word: string | undefined) => void): void {
    this.hints.listen(onHint);
  }

  async close(): Promise<void> {
    this.isOpen = false;
    await this.hints.close();
    await this.pool.end();
  }

  private async query(sql: string, values: Value[]): Promise<pg.QueryResult> {
    const own = this.transactions.getStore();
    if (own?.isOver) throw new Error('A transaction was used after its end');
    if (!own) this.checkOpen();
    const text = numbered(sql);
    return await explained((own?.client ?? this.pool).query(values.length === 0 ? {text} : {text, values}));
  }

  private async connect(): Promise<pg.PoolClient> {
    this.checkOpen();
    return await explained(this.pool.connect());
  }

  private checkOpen(): void {
    if (!this.isOpen) throw storeClosed();
  }

  private async notify(payloads: string[]): Promise<void> {
    await this.pool.query('select pg_notify($1, payload) from unnest($2::text[]) as payload', [
      Hints.channel,
      payloads,
    ]);
  }

  /** A role that may not change the schema can use one that is up to date. */
  private async migrate(): Promise<void> {
    await this.transaction(async () => {
      await this.lock('schema');
      const found = await this.row("select to_regclass('schema_version') is not null as is_there");
      if (!found!.is_there) await this.rows('create table schema_version (version bigint not null)');
      const version = Number((await this.row('select version from schema_version'))?.version ?? 0);
      if (version > migrations.length)
        throw new FtftError('FAILED_PRECONDITION', newerSchema('the database', migrations.length, version), {
          reason: 'STORE_UNAVAILABLE',
        });
      if (version === migrations.length) return;
      for (const migration of migrations.slice(version)) await this.rows(migration);
      await this.rows('delete from schema_version');
      await this.rows('insert into schema_version (version) values (?)', migrations.length);
    });
  }
}

const isUnavailable = (error: unknown): boolean =>
  error instanceof FtftError && error.details.reason === 'STORE_UNAVAILABLE';

/** Whole numbers of 64 bits as numbers: times, counts and sequences stay far below 2^53. */
const parserOf: typeof pg.types.getTypeParser = ((type: number, format?: 'text' | 'binary') =>
  type === int8 ? Number : pg.types.getTypeParser(type, format as 'text')) as typeof pg.types.getTypeParser;

const texts = new Map<string, string>();

/** Question marks → $1, $2, … */
function numbered(sql: string): string {
  const known = texts.get(sql);
  if (known !== undefined) return known;
  let count = 0;
  const text = sql.replaceAll('?', () => `$${++count}`);
  texts.set(sql, text);
  return text;
}

/** Of an advisory lock: 31 bits of the name's digest. */
const lockKey = (name: string): number => createHash('sha256').update(`ftft/${name}`).digest().readUInt32BE(0) >>> 1;

async function explained<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw explainPostgres(error);
  }
}
