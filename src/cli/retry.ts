// A failed call → whether to try it again, and the wait before. Only for reads: nothing is made twice.
import {setTimeout as sleep} from 'node:timers/promises';
import {ClientError, Status} from 'nice-grpc';
import {RetryInfo, RichClientError} from 'nice-grpc-error-details';
import {FtftError} from '../errors.js';

const firstWaitMs = 200;
const longestWaitMs = 5_000;
/** A server that is away for longer is not restarting. */
const giveUpAfterMs = 10 * 60_000;

/** Lost connections, draining servers, slow readers that were put off; a stream cut by the server's death comes as one of these. What
 * else carries RetryInfo says itself that it passes. */
export function isTransient(error: unknown): boolean {
  if (error instanceof FtftError) return error.code === 'UNAVAILABLE';
  if (!(error instanceof ClientError)) return false;
  if (retryDelayMs(error) !== undefined) return true;
  if ([Status.UNAVAILABLE, Status.ABORTED, Status.CANCELLED].includes(error.code)) return true;
  return (
    [Status.INTERNAL, Status.UNKNOWN].includes(error.code) &&
    /RST_STREAM|stream (was )?reset|Connection dropped/i.test(error.details)
  );
}

/** How long the server asks to wait; undefined where it does not say. */
function retryDelayMs(error: unknown): number | undefined {
  if (!(error instanceof RichClientError)) return undefined;
  const info = error.extra.find((detail): detail is RetryInfo => detail.$type === RetryInfo.$type);
  return info?.retryDelay && info.retryDelay.seconds * 1000 + info.retryDelay.nanos / 1e6;
}

/** Capped exponential back-off; `succeeded` begins it anew. */
export class Backoff {
  #attempt = 0;
  #since = 0;

  succeeded(): void {
    this.#attempt = 0;
  }

  /** Waits, or throws the error when it is of no use to go on; an abort throws at once. */
  async wait(error: unknown, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!isTransient(error)) throw error;
    if (this.#attempt === 0) this.#since = Date.now();
    if (Date.now() - this.#since > giveUpAfterMs) throw error;
    const longest = Math.min(longestWaitMs, firstWaitMs * 2 ** this.#attempt++);
    const backoffMs = longest * (0.5 + Math.random() / 2);
    await sleep(Math.max(backoffMs, retryDelayMs(error) ?? 0), undefined, {signal});
  }
}
