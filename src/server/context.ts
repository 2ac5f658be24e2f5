// What every handler may use, and what long calls say when the server stops.
import {FtftError} from '../errors.js';
import type {Runs} from '../runs/api.js';
import type {Telemetry} from '../telemetry/telemetry.js';

export interface ServerContext {
  runs: Runs;
  telemetry: Telemetry;
  /** Aborted when the server begins to drain: long calls end with UNAVAILABLE/DRAINING. */
  drain: AbortSignal;
}

/** UNAVAILABLE/DRAINING: another replica, or this one after its restart, goes on. */
export function draining(what: string): FtftError {
  return new FtftError('UNAVAILABLE', `${what}: the server is shutting down; try again, with the last resume_token`, {
    reason: 'DRAINING',
    retryAfterMs: 1000,
  });
}
