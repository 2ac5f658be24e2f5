// Files of one commit of a hub repository → blobs/ and snapshots/ of the hub's cache, each checked against the digest that the hub gives.
import {createHash, randomUUID} from 'node:crypto';
import {type FileHandle, mkdir, open, rename, rm, stat, symlink} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import {setTimeout as pause} from 'node:timers/promises';
import {downloadFile, HubApiError} from '@huggingface/hub';
import {explainDiskError, syncFolder} from './atomic-file.js';
import type {HubOptions} from './hub.js';
import {claimPartial, completePartial, releasePartial, removePartial} from './partial-download.js';

/** What the hub says of a file. */
export interface HubFile {
  path: string;
  /** SHA-1 of the git blob. */
  oid: string;
  size: number;
  /** SHA-256 of a large file's bytes. */
  lfs?: {oid: string; size: number};
}

export interface Download extends Pick<HubOptions, 'onProgress' | 'signal' | 'hubUrl'> {
  repo: {type: 'model'; name: string};
  commit: string;
  /** The repository's folder in the cache, and the commit's in that. */
  storage: string;
  snapshot: string;
  accessToken: string | undefined;
  fetch: typeof fetch;
}

/** Of one file, once the first has brought some of it. */
const maxConnections = 5;
const firstPauseMs = 100;

/** The bytes are not those that the hub described, so they are no start for another attempt. */
class DamagedError extends Error {
  constructor(
    message: string,
    /** Some of them came over an earlier connection. */
    readonly isContinued: boolean,
  ) {
    super(message);
  }
}

/** Fetches what the cache lacks; a file is there whole or not at all, and one that broke off is continued by the next call. */
export async function downloadToCache(files: HubFile[], download: Download): Promise<void> {
  const totalBytes = files.reduce((sum, {size}) => sum + size, 0);
  let before = 0;
  for (const file of files) {
    const report = (doneBytes: number) =>
      download.onProgress?.({file: file.path, doneBytes: before + doneBytes, totalBytes});
    await fetchFile(file, download, report);
    before += file.size;
  }
}

async function fetchFile(file: HubFile, download: Download, report: (doneBytes: number) => void): Promise<void> {
  const digest = file.lfs?.oid ?? file.oid;
  // Both become paths.
  if (!/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(digest) || basename(file.path) !== file.path)
    throw new Error(`the hub gave no usable digest of ${file.path}`);
  const blob = join(download.storage, 'blobs', digest);
  const isThere = (await stat(blob).catch(() => undefined))?.size === file.size;
  if (!isThere) await fetchBlob(blob, file, download, report);
  report(file.size);
  await link(join('..', '..', 'blobs', digest), download.snapshot, file.path);
}

async function fetchBlob(
  blob: string,
  file: HubFile,
  download: Download,
  report: (doneBytes: number) => void,
): Promise<void> {
  await mkdir(dirname(blob), {recursive: true});
  const partial = await claimPartial(blob);
  try {
    const handle = await open(partial, 'a+');
    try {
      await fill(handle, file, download, report).catch(async error => {
        if (!(error instanceof DamagedError) || !error.isContinued) throw error;
        // What an earlier attempt left may be the damage, or a hub that knows no ranges.
        await handle.truncate(0);
        await fill(handle, file, download, report);
      });
      await handle.sync();
    } finally {
      await handle.close();
    }
    await completePartial(partial, blob);
    await syncFolder(dirname(blob));
  } catch (error) {
    const explained = explainDiskError(error, blob);
    if (error instanceof DamagedError || explained !== error) await removePartial(partial);
    else await releasePartial(partial, blob);
    throw explained;
  }
}

/** Appends what the file lacks, over as many connections as it takes, and checks the whole. */
async function fill(
  handle: FileHandle,
  {path, size, oid, lfs}: HubFile,
  download: Download,
  report: (doneBytes: number) => void,
): Promise<void> {
  const hash = lfs ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
  let done = 0;
  for await (const chunk of handle.createReadStream({start: 0, autoClose: false})) {
    hash.update(chunk);
    done += chunk.length;
  }
  let isContinued = done > 0;
  let hasReceived = false;
  for (let connection = 1; done < size; connection++) {
    const start = done;
    try {
      for await (const chunk of await bytesFrom(start, path, download)) {
        if (done + chunk.length > size)
          throw new DamagedError(`${path} must have ${size} bytes, received more`, isContinued);
        await handle.writeFile(chunk);
        hash.update(chunk);
        done += chunk.length;
        report(done);
      }
      if (done < size) throw new Error(`${path} must have ${size} bytes, received ${done}`);
    } catch (error) {
      hasReceived ||= done > start;
      if (!hasReceived || connection === maxConnections || !isBrokenConnection(error, download.signal)) throw error;
      isContinued = true;
      await pause(firstPauseMs * 2 ** (connection - 1), undefined, {signal: download.signal});
    }
  }
  if (done !== size || hash.digest('hex') !== (lfs?.oid ?? oid))
    throw new DamagedError(`${path} was damaged on its way: its digest differs`, isContinued);
}

/** What another connection may mend. */
function isBrokenConnection(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted || error instanceof DamagedError || explainDiskError(error, '') !== error) return false;
  return !(error instanceof HubApiError) || error.statusCode >= 500;
}

async function bytesFrom(
  start: number,
  path: string,
  {repo, commit, accessToken, hubUrl, fetch}: Download,
): Promise<AsyncIterable<Uint8Array>> {
  const blob = await downloadFile({repo, path, revision: commit, accessToken, hubUrl, fetch, xet: false});
  if (!blob) throw new Error(`the hub does not have ${path}, which it lists`);
  return (start === 0 ? blob : blob.slice(start)).stream() as unknown as AsyncIterable<Uint8Array>;
}

/** Replaces what is there, at once. */
async function link(target: string, folder: string, name: string): Promise<void> {
  await mkdir(folder, {recursive: true});
  const temporary = join(folder, `.${randomUUID()}`);
  await symlink(target, temporary);
  await rename(temporary, join(folder, name)).catch(async error => {
    await rm(temporary, {force: true});
    throw error;
  });
}
