// Where the state is kept → its database: SQLite in a folder, or PostgreSQL, which may take a while to be there.
import {join} from 'node:path';
import type {Logger} from './logger.js';
import {Postgres} from './postgres.js';
import {persistently} from './retry-store.js';
import type {Sql} from './sql.js';
import {Sqlite} from './sqlite.js';

/** Longer is no start any more: whoever watches over the process hears why. */
const startMs = 60_000;

/** UNAVAILABLE/STORE_UNAVAILABLE when it cannot be reached; FAILED_PRECONDITION for a schema or settings that are not for this program. */
export async function openDatabase(dataDir: string, databaseUrl: string | undefined, logger: Logger): Promise<Sql> {
  if (databaseUrl === undefined) return new Sqlite(join(dataDir, 'ftft.db'));
  return await persistently(AbortSignal.timeout(startMs), () =>
    Postgres.open(databaseUrl).catch((error: unknown) => {
      logger.warn({error: String(error)}, 'The database is not there yet');
      throw error;
    }),
  );
}
