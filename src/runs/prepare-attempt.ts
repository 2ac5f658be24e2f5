// What an attempt needs before it can train, model and checkpoint fetched, for as long as somebody wants it.
import {once} from 'node:events';
import {FtftError} from '../errors.js';
import {isAway, persistently} from './retry-store.js';
import type {TrainerJob} from './trainer-protocol.js';

/** How long a run waits for the hub that has its model; other runs wait behind it. */
const hubPatienceMs = 120_000;

const isHubAway = (error: unknown): boolean => error instanceof FtftError && error.details.reason === 'HUB_UNAVAILABLE';

/** undefined as soon as it is stopped, whatever is still being fetched. patience: of waiting for a store that is away. */
export async function preparedUnlessStopped(
  prepare: () => Promise<TrainerJob>,
  stopped: AbortSignal,
  patience: AbortSignal,
): Promise<TrainerJob | undefined> {
  if (stopped.aborted) return undefined;
  const stop = once(stopped, 'abort').then(() => undefined);
  const hubEnd = performance.now() + hubPatienceMs;
  const isPassing = (error: unknown) => isAway(error) || (isHubAway(error) && performance.now() < hubEnd);
  const preparing = persistently(AbortSignal.any([stopped, patience]), prepare, isPassing);
  preparing.catch(() => {}); // nobody hears of it once the attempt is stopped
  return await Promise.race([preparing, stop]);
}
