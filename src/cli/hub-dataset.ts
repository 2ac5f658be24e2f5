// A data set of the Hugging Face hub → the folder of its commit in the hub's cache, which Python's datasets shares; files are checked
// against the digests that the hub gives.
import {createHash, randomUUID} from 'node:crypto';
import {mkdir, open, readFile, rename, rm, stat, symlink, writeFile} from 'node:fs/promises';
import {dirname, join, relative} from 'node:path';
import {
  datasetInfo,
  downloadFile,
  getHFHubCachePath,
  getRepoFolderName,
  HubApiError,
  type ListFileEntry,
  listFiles,
} from '@huggingface/hub';
import {FtftError} from '../errors.js';

export interface HubDatasetOptions {
  /** The commit that was fetched last is taken. */
  isOffline: boolean;
  token?: string;
  /** Another hub than the public one. */
  hubUrl?: string;
  /** The hub's own cache folder when undefined. */
  cacheDir?: string;
  signal: AbortSignal;
  /** Before each file that is fetched. */
  onFile?: (path: string, bytes: number) => void;
}

interface Commit {
  repo: {type: 'dataset'; name: string};
  revision: string;
  /** The repository's folder in the cache, and the commit's in that. */
  storage: string;
  snapshot: string;
}

const commitPattern = /^[0-9a-f]{40}$/;

/** Only files whose paths match. NOT_FOUND/DATASET_NOT_FOUND, UNAVAILABLE/HUB_UNAVAILABLE. */
export async function fetchHubDataset(
  name: string,
  revision: string,
  files: RegExp,
  options: HubDatasetOptions,
): Promise<string> {
  const {cacheDir = getHFHubCachePath(), token: accessToken, hubUrl, signal, isOffline} = options;
  const storage = join(cacheDir, getRepoFolderName({type: 'dataset', name}));
  const snapshotOf = (commit: string) => join(storage, 'snapshots', commit);
  const reference = join(storage, 'refs', revision);
  if (isOffline) {
    const commit = (await readFile(reference, 'utf8').catch(() => '')).trim();
    if (commitPattern.test(commit)) return snapshotOf(commit);
    throw notFound(name, 'it is not in the cache and FTFT_OFFLINE forbids to fetch it');
  }
  const request = {accessToken, hubUrl, fetch: withSignal(signal)};
  try {
    const {sha} = await datasetInfo({...request, name, revision, additionalFields: ['sha']});
    if (!commitPattern.test(sha)) throw new Error('the hub gave no commit');
    const commit: Commit = {repo: {type: 'dataset', name}, revision: sha, storage, snapshot: snapshotOf(sha)};
    for await (const file of listFiles({...request, repo: commit.repo, revision: sha, recursive: true}))
      if (file.type === 'file' && files.test(file.path)) await fetchFile(file, commit, request, options);
    await mkdir(dirname(reference), {recursive: true});
    await writeFile(reference, sha);
    return commit.snapshot;
  } catch (error) {
    throw explain(name, error, signal);
  }
}

async function fetchFile(
  file: ListFileEntry,
  {storage, snapshot, ...commit}: Commit,
  request: {accessToken?: string; hubUrl?: string; fetch: typeof fetch},
  {onFile}: HubDatasetOptions,
): Promise<void> {
  const digest = file.lfs?.oid ?? file.oid ?? '';
  const isInside = file.path.split('/').every(part => part !== '' && part !== '.' && part !== '..');
  // Both become paths.
  if (!/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(digest) || !isInside || file.path.includes('\\'))
    throw new Error(`the hub gave no usable digest of ${file.path}`);
  const blob = join(storage, 'blobs', digest);
  if ((await stat(blob).catch(() => undefined))?.size !== file.size) {
    onFile?.(file.path, file.size);
    const bytes = await downloadFile({...request, ...commit, path: file.path, xet: false});
    if (!bytes) throw new Error(`the hub does not have ${file.path}, which it lists`);
    await keep(bytes.stream() as unknown as AsyncIterable<Uint8Array>, file, blob, digest);
  }
  const link = join(snapshot, file.path);
  await mkdir(dirname(link), {recursive: true});
  await rm(link, {force: true});
  await symlink(relative(dirname(link), blob), link);
}

/** The file appears under its digest once it is known to have it. */
async function keep(
  bytes: AsyncIterable<Uint8Array>,
  file: ListFileEntry,
  blob: string,
  digest: string,
): Promise<void> {
  const hash = file.lfs ? createHash('sha256') : createHash('sha1').update(`blob ${file.size}\0`);
  const temporary = `${blob}.${randomUUID()}`;
  await mkdir(dirname(blob), {recursive: true});
  try {
    const handle = await open(temporary, 'wx');
    try {
      let size = 0;
      for await (const chunk of bytes) {
        size += chunk.length;
        if (size > file.size) throw new Error(`${file.path} must have ${file.size} bytes, received more`);
        hash.update(chunk);
        await handle.writeFile(chunk);
      }
    } finally {
      await handle.close();
    }
    if (hash.digest('hex') !== digest) throw new Error(`${file.path} was damaged on its way: its digest differs`);
    await rename(temporary, blob);
  } finally {
    await rm(temporary, {force: true});
  }
}

function withSignal(signal: AbortSignal): typeof fetch {
  return (input, init) => fetch(input, {...init, signal: init?.signal ?? signal});
}

function explain(name: string, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof HubApiError && [401, 403, 404].includes(error.statusCode))
    return notFound(name, 'the hub has none of this name, or shows it only to those who may: see FTFT_HF_TOKEN');
  const reason =
    error instanceof Error
      ? [error.message, (error.cause as Error | undefined)?.message].filter(Boolean).join(': ')
      : error;
  return new FtftError(
    'UNAVAILABLE',
    `Cannot fetch data set ${name}: ${reason}; try again, or name a folder with its files`,
    {reason: 'HUB_UNAVAILABLE', retryAfterMs: 10_000},
    {cause: error},
  );
}

function notFound(name: string, problem: string): FtftError {
  return new FtftError('NOT_FOUND', `Cannot find data set ${name}: ${problem}`, {reason: 'DATASET_NOT_FOUND'});
}
