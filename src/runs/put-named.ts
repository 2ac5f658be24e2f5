// A blob and the row that names it: put, then named in a transaction; again where a sweep was about to remove an equal one.
import {setTimeout as wait} from 'node:timers/promises';
import {FtftError} from '../errors.js';
import type {BlobStore} from './artifacts.js';

const firstWaitMs = 25;
const longestWaitMs = 3000;

/** name: undefined where the file is doomed. UNAVAILABLE/STORE_UNAVAILABLE where it stays so. */
export async function putNamed<T>(
  files: Pick<BlobStore, 'put' | 'has'>,
  bytes: () => Iterable<Uint8Array>,
  name: (file: string) => Promise<T | undefined>,
): Promise<T> {
  for (let waitMs = firstWaitMs; waitMs < longestWaitMs; waitMs *= 2) {
    const file = await files.put(bytes());
    const named = await name(file);
    if (named !== undefined) {
      // The removal of an equal one may have ended after the file was put and before it was named. From now on there is none.
      if (!(await files.has(file))) await files.put(bytes());
      return named;
    }
    await wait(waitMs);
  }
  throw new FtftError('UNAVAILABLE', 'Cannot keep a file: an equal one is just being removed; try again', {
    reason: 'STORE_UNAVAILABLE',
    retryAfterMs: 10_000,
  });
}
