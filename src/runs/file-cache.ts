// Copies of blobs that can be fetched again: so many bytes of them, those that were wanted last.
import {stat, utimes} from 'node:fs/promises';
import {FtftError} from '../errors.js';
import type {StoredBlob} from './artifacts.js';
import type {FileStore} from './file-store.js';

/** What was wanted within this time may be about to be read. */
const safeMs = 3_600_000;
/** How exactly the times are known. */
const touchMs = 600_000;

/** A copy that is there and whole; it is wanted now. A damaged one goes. */
export async function findCopy(cache: FileStore, sha256: string): Promise<string | undefined> {
  try {
    const file = await cache.fetch(sha256);
    if ((await stat(file)).mtimeMs < Date.now() - touchMs) await utimes(file, new Date(), new Date());
    return file;
  } catch (error) {
    if (!(error instanceof FtftError) || error.code !== 'FAILED_PRECONDITION') throw error;
    await cache.remove(sha256);
    return undefined;
  }
}

/** Removes what was wanted longest ago, as long as there is more than maxBytes; what was wanted within the last hour stays. */
export async function trimCache(cache: FileStore, maxBytes: number): Promise<void> {
  const copies: StoredBlob[] = [];
  let numBytes = 0;
  for await (const copy of cache.list()) {
    copies.push(copy);
    numBytes += copy.numBytes;
  }
  copies.sort((a, b) => a.putTime - b.putTime);
  for (const copy of copies) {
    if (numBytes <= maxBytes || copy.putTime > Date.now() - safeMs) return;
    await cache.remove(copy.sha256);
    numBytes -= copy.numBytes;
  }
}
