// A model of the Hugging Face hub → its folder in the hub's cache, which Python's huggingface_hub shares. Only the files that we read.
import {readFile, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {getHFHubCachePath, getRepoFolderName, HubApiError, modelInfo, pathsInfo} from '@huggingface/hub';
import {FtftError} from '../errors.js';
import {writeFileAtomically} from './atomic-file.js';
import {tokenizerFiles, vocabularyFiles} from './checkpoint.js';
import {downloadToCache, type HubFile} from './hub-download.js';
import {findWeights, isIndex, shardNames, weightsFiles} from './weights.js';

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
  const fetchFiles = async (paths: string[], onProgress: HubOptions['onProgress']) => {
    const missing = paths.find(path => !filePaths.includes(path));
    if (missing !== undefined) throw unusable(name, `it must hold ${missing}`, filePaths);
    const files = (await pathsInfo({...request, repo, paths, revision: commit})) as HubFile[];
    await downloadToCache(files, {...request, repo, commit, storage, snapshot, signal, onProgress});
  };
  const has = (path: string) => filePaths.includes(path);
  const weights = weightsFiles.find(has);
  if (weights === undefined) throw unusable(name, `it must hold ${weightsFiles.join(' or ')}`, filePaths);
  // The index comes first and says what else there is, so that progress is a share of the whole.
  if (isIndex(weights)) await fetchFiles([weights], undefined);
  const shards = await shardNames(snapshot, weights);
  await fetchFiles(['config.json', ...tokenizerFiles.filter(has), weights, ...shards], options.onProgress);
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
  const weights = await findWeights(snapshot);
  const hasTokenizer = await Promise.all(vocabularyFiles.map(exists));
  if (!(await exists('config.json')) || weights === undefined || !hasTokenizer.includes(true)) return undefined;
  for (const shard of await shardNames(snapshot, weights)) if (!(await exists(shard))) return undefined;
  return snapshot;
}

function withSignal(signal: AbortSignal | undefined): typeof fetch {
  return (input, init) => fetch(input, {...init, signal: init?.signal ?? signal});
}

function explain(name: string, revision: string | undefined, error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof FtftError) return error;
  const status = error instanceof HubApiError ? error.statusCode : undefined;
  // A gated repository shows what it holds to everyone, and its files to those who were let in.
  if (error instanceof HubApiError && (status === 401 || status === 403) && error.url.includes('/resolve/'))
    return notFound(
      name,
      'it is gated: ask for access on its page of the hub, and set FTFT_HF_TOKEN to a token of the account that has it',
    );
  if (status === 404 || status === 401 || status === 403)
    return notFound(
      name,
      `the hub has no model of this name${revision ? ` with revision ${revision}` : ''}, or shows it only to those who may: ` +
        'check the spelling, and FTFT_HF_TOKEN for a private or gated model',
    );
  const reason = reasonOf(error);
  return new FtftError(
    'UNAVAILABLE',
    `Cannot fetch model ${name}: ${reason}; try again, or put the folder into the model directory and name it local:FOLDER`,
    {reason: 'HUB_UNAVAILABLE', retryAfterMs: 10_000},
    {cause: error},
  );
}

/** What fetch says is "fetch failed"; why it did is in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${reasonOf(error.cause)}` : error.message;
}

function unusable(name: string, expected: string, filePaths: string[]): FtftError {
  const found = filePaths.slice(0, 20).join(', ') || 'no file';
  return new FtftError('FAILED_PRECONDITION', `Cannot use model ${name}: ${expected}, found ${found}`, {
    reason: 'MODEL_INVALID',
  });
}

function notFound(name: string, problem: string): FtftError {
  return new FtftError('NOT_FOUND', `Cannot find model ${name}: ${problem}`, {
    reason: 'MODEL_NOT_FOUND',
    resource: {type: 'Model', name},
  });
}
