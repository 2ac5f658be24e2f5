// Files of one commit of a hub repository → blobs/ and snapshots/ of the hub's cache, each checked against the digest that the hub gives.
import {createHash, randomUUID} from 'node:crypto';
import {mkdir, rename, rm, stat, symlink} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {downloadFile} from '@huggingface/hub';
import {writeFileAtomically} from './atomic-file.js';
import type {HubOptions} from './hub.js';

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

/** Fetches what the cache lacks; a file is there whole or not at all. */
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
  if (!isThere) await writeFileAtomically(blob, checked(file, download, report));
  report(file.size);
  await link(join('..', '..', 'blobs', digest), download.snapshot, file.path);
}

async function* checked(
  {path, oid, lfs, size}: HubFile,
  {repo, commit, accessToken, hubUrl, fetch}: Download,
  report: (doneBytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const blob = await downloadFile({repo, path, revision: commit, accessToken, hubUrl, fetch, xet: false});
  if (!blob) throw new Error(`the hub does not have ${path}, which it lists`);
  const hash = lfs ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
  let doneBytes = 0;
  for await (const chunk of blob.stream() as unknown as AsyncIterable<Uint8Array>) {
    doneBytes += chunk.length;
    if (doneBytes > size) break;
    hash.update(chunk);
    report(doneBytes);
    yield chunk;
  }
  if (doneBytes !== size)
    throw new Error(`${path} must have ${size} bytes, received ${doneBytes > size ? 'more' : doneBytes}`);
  if (hash.digest('hex') !== (lfs?.oid ?? oid)) throw new Error(`${path} was damaged on its way: its digest differs`);
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
