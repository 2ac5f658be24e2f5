// A call that must not fail only because the database, or another place, is away for a while.
import {setTimeout as wait} from 'node:timers/promises';
import {FtftError} from '../errors.js';

const firstWaitMs = 100;
const longestWaitMs = 3000;

export const isAway = (error: unknown): boolean =>
  error instanceof FtftError && error.code === 'UNAVAILABLE' && error.details.reason === 'STORE_UNAVAILABLE';

/** Tries again while the store cannot be reached, or what else isPassing; once more, and no longer, when the signal aborts. */
export async function persistently<T>(
  signal: AbortSignal,
  body: () => Promise<T>,
  isPassing: (error: unknown) => boolean = isAway,
): Promise<T> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
    const isLastTry = signal.aborted;
    try {
      return await body();
    } catch (error) {
      if (!isPassing(error) || isLastTry) throw error;
    }
    await wait(waitMs, undefined, {signal}).catch(() => {});
  }
}
