// A model of the Hugging Face hub → its folder in the hub's cache, which Python's huggingface_hub shares. Only the files that we read.
import {readFile, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {getHFHubCachePath, getRepoFolderName, HubApiError, modelInfo, pathsInfo} from '@huggingface/hub';
import {FtftError} from '../errors.js';
import {writeFileAtomically} from './atomic-file.js';
import {shardNames, tokenizerFiles, weightsFile, weightsIndexFile} from './checkpoint.js';
import {downloadToCache, type HubFile} from './hub-download.js';

export interface HubOptions {
  /** Never opens a connection: the cache must hold the model. */
  isOffline: boolean;
  /** The hub's own cache folder when undefined. */
  cacheDir?: string;
  token?: string;
  /** Called as bytes come in. */
  onProgress?: (progress: {file: string; doneBytes: number; totalBytes: number}) => void;
  signal?: AbortSignal;
  /** Another hub than the public one. */
  hubUrl?: string;
}

const commitPattern = /^[0-9a-f]{40}$/;

/** The snapshot folder. With the hub out of reach, what the cache holds of this revision is used. */
export async function resolveHubModel(
  name: string,
  revision: string | undefined,
  options: HubOptions,
): Promise<string> {
  const storage = join(options.cacheDir ?? getHFHubCachePath(), getRepoFolderName({type: 'model', name}));
  const cached = await cachedSnapshot(storage, revision ?? 'main');
  // A commit never changes; a branch or tag may have moved on.
  if (cached !== undefined && (options.isOffline || commitPattern.test(revision ?? ''))) return cached;
  if (options.isOffline)
    throw notFound(
      name,
      `it is not in the cache ${storage} and FTFT_OFFLINE forbids to fetch it; fetch it once without FTFT_OFFLINE, or put the ` +
        'folder into the model directory and name it local:FOLDER',
    );
  try {
    return await fetchSnapshot(storage, name, revision ?? 'main', options);
  } catch (error) {
    const explained = explain(name, revision, error, options.signal);
    const isOutOfReach = explained instanceof FtftError && explained.code === 'UNAVAILABLE';
    if (isOutOfReach && cached !== undefined) return cached;
    throw explained;
  }
}

async function fetchSnapshot(storage: string, name: string, revision: string, options: HubOptions): Promise<string> {
  const {token, signal, hubUrl} = options;
  const request = {accessToken: token, hubUrl, fetch: withSignal(signal)};
  const {sha: commit, filePaths} = await modelInfo({
    ...request,
    name,
    revision,
    additionalFields: ['sha', 'filePaths'],
  });
  if (!commitPattern.test(commit)) throw new Error('the hub gave no commit');
  const snapshot = join(storage, 'snapshots', commit);
  const repo = {type: 'model' as const, name};
  const fetchFiles = async (paths: string[]) => {
    const files = (await pathsInfo({...request, repo, paths, revision: commit})) as HubFile[];
    await downloadToCache(files, {...request, repo, commit, storage, snapshot, signal, onProgress: options.onProgress});
  };
  const has = (path: string) => filePaths.includes(path);
  const weights = [weightsFile, weightsIndexFile].find(has);
  if (!has('config.json') || weights === undefined) throw unusable(name, filePaths);
  await fetchFiles(['config.json', ...tokenizerFiles.filter(has), weights]);
  if (weights === weightsIndexFile) await fetchFiles(await shardNames(snapshot));
  if (revision !== commit) await writeFileAtomically(join(storage, 'refs', revision), [Buffer.from(commit)]);
  return snapshot;
}

/** The folder of a revision when all that is read from it is there. */
async function cachedSnapshot(storage: string, revision: string): Promise<string | undefined> {
  const commit = commitPattern.test(revision)
    ? revision
    : (await readFile(join(storage, 'refs', revision), 'utf8').catch(() => '')).trim();
  if (!commitPattern.test(commit)) return undefined;
  const snapshot = join(storage, 'snapshots', commit);
  const exists = (name: string) =>
    stat(join(snapshot, name)).then(
      () => true,
      () => false,
    );
  const hasTokenizer = (await exists('tokenizer.json')) || (await exists('vocab.txt'));
  if (!(await exists('config.json')) || !hasTokenizer) return undefined;
  if (await exists(weightsFile)) return snapshot;
  if (!(await exists(weightsIndexFile))) return undefined;
  for (const shard of await shardNames(snapshot)) if (!(await exists(shard))) return undefined;
  return snapshot;
}

function withSignal(signal: AbortSignal | undefined): typeof fetch {
  return (input, init) => fetch(input, {...init, signal: init?.signal ?? signal});
}

function explain(name: string, revision: string | undefined, error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof FtftError) return error;
  const status = error instanceof HubApiError ? error.statusCode : undefined;
  if (status === 404 || status === 401 || status === 403)
    return notFound(
      name,
      `the hub has no model of this name${revision ? ` with revision ${revision}` : ''}, or shows it only to those who may: ` +
        'check the spelling, and FTFT_HF_TOKEN for a private or gated model',
    );
  const reason = error instanceof Error ? error.message : String(error);
  return new FtftError(
    'UNAVAILABLE',
    `Cannot fetch model ${name}: ${reason}; try again, or put the folder into the model directory and name it local:FOLDER`,
    {reason: 'HUB_UNAVAILABLE', retryAfterMs: 10_000},
    {cause: error},
  );
}

function unusable(name: string, filePaths: string[]): FtftError {
  const found = filePaths.slice(0, 20).join(', ') || 'no file';
  return new FtftError(
    'FAILED_PRECONDITION',
    `Cannot use model ${name}: it must hold config.json and ${weightsFile} or ${weightsIndexFile}, found ${found}`,
    {reason: 'MODEL_INVALID'},
  );
}

function notFound(name: string, problem: string): FtftError {
  return new FtftError('NOT_FOUND', `Cannot find model ${name}: ${problem}`, {
    reason: 'MODEL_NOT_FOUND',
    resource: {type: 'Model', name},
  });
}
