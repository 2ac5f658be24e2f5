// What the PostgreSQL client throws → an FtftError where an operator or a second try can mend it; else the error itself, a bug of ours.
import {FtftError} from '../errors.js';

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const diskFull = '53100';
/**
 * Lost or refused connections, too few resources, a server that stops, sessions it ended, conflicts of transactions, a disk that does not
 * answer, and a server that takes no writes, as during a switch to another one.
 */
const passing = /^(08|53|57P|58|25P03|25006|40|55P03|57014)/;
/** No rights, wrong credentials, no such database, a schema in which nothing may be made. */
const settings = /^(28|3D|3F|42501)/;

export function explainPostgres(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof FtftError) return error;
  const {code} = error as Error & {code?: unknown};
  const isOfServer = 'severity' in error && typeof code === 'string';
  if (isOfServer && code === diskFull)
    return new FtftError(
      'RESOURCE_EXHAUSTED',
      'Cannot write to the store: the disk of the database is full; free some space and try again',
      {reason: 'DISK_FULL'},
      {cause: error},
    );
  if (isOfServer && settings.test(code))
    return new FtftError(
      'FAILED_PRECONDITION',
      `Cannot use the database of FTFT_DATABASE_URL: ${error.message}`,
      {reason: 'STORE_UNAVAILABLE'},
      {cause: error},
    );
  if (isOfServer && !passing.test(code)) return error;
  // What does not come from the server comes from the way to it.
  if (!isOfServer && (error instanceof TypeError || error instanceof RangeError)) return error;
  return new FtftError(
    'UNAVAILABLE',
    `Cannot use the store: the database must answer, found ${error.message || String(code)}; try again`,
    {reason: 'STORE_UNAVAILABLE', retryAfterMs: 1000},
    {cause: error},
  );
}
