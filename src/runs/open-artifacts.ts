// Settings → where the files are kept that outlive a process: in folders of the data directory, or in a bucket with copies in a cache.
import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {hasCode, writeFileAtomically} from '../data/atomic-file.js';
import type {Artifacts, Damaged} from './artifacts.js';
import type {BucketOptions} from './bucket.js';
import {FileStore} from './file-store.js';
import type {Logger} from './logger.js';
import {damagedMap} from './map-columns.js';
import {RunFolders} from './run-folders.js';
import {damagedSplit} from './split-file.js';

/** A service that starts beside this process may take so long. */
const startMs = 60_000;
const defaultCacheBytes = 20e9;
/** Holds the id of the database whose files these are. */
const markerName = '.database';

export interface ArtifactOptions {
  dataDir: string;
  cacheDir: string;
  /** The data directory when undefined. */
  bucket?: BucketOptions;
  /** Of copies of splits, and of data maps, each. */
  maxCacheBytes?: number;
}

interface Kind {
  folder: string;
  extension: string;
  damaged: Damaged;
}

const splits: Kind = {folder: 'splits', extension: '.jsonl', damaged: damagedSplit};
const dataMaps: Kind = {folder: 'data-maps', extension: '.columns', damaged: damagedMap};

/** UNAVAILABLE/STORE_UNAVAILABLE where the bucket cannot be used. */
export async function openArtifacts(options: ArtifactOptions, owner: string, logger: Logger): Promise<Artifacts> {
  const {dataDir, cacheDir, bucket} = options;
  const parent = bucket ? join(cacheDir, 'artifacts') : dataDir;
  const folders = [splits, dataMaps].map(
    ({folder, extension, damaged}) => new FileStore(join(parent, folder), extension, owner, damaged),
  );
  for (const folder of folders) await folder.sweep();
  if (bucket) return await openBucket(options, bucket, folders, logger);
  const runs = join(dataDir, 'runs');
  await mkdir(runs, {recursive: true});
  const marker = join(dataDir, markerName);
  return {
    ...{splits: folders[0], dataMaps: folders[1], runs: new RunFolders(runs)},
    async isOwn(databaseId) {
      await writeFile(marker, databaseId, {flag: 'wx'}).catch(error => {
        if (!hasCode(error, 'EEXIST')) throw error;
      });
      return (await readFile(marker, 'utf8')) === databaseId;
    },
    async close() {
      for (const folder of folders) await folder.close();
    },
  };
}

async function openBucket(
  {maxCacheBytes = defaultCacheBytes}: ArtifactOptions,
  options: BucketOptions,
  caches: FileStore[],
  logger: Logger,
): Promise<Artifacts> {
  // Its client is large: whoever has no bucket does not load it.
  const {Bucket} = await import('./bucket.js');
  const {BucketBlobs} = await import('./bucket-blobs.js');
  const {BucketRuns} = await import('./bucket-runs.js');
  const {isOfSettings} = await import('./bucket-errors.js');
  const bucket = new Bucket(options);
  const end = performance.now() + startMs;
  for (;;) {
    try {
      await bucket.check();
      break;
    } catch (error) {
      if (isOfSettings(error) || performance.now() > end) throw error;
      logger.warn({error: String(error)}, 'The bucket is not there yet');
      await wait(1000);
    }
  }
  const blobs = [splits, dataMaps].map(
    ({folder, ...kind}, i) => new BucketBlobs(bucket, caches[i], {...kind, folder: `${folder}/`, maxCacheBytes}),
  );
  return {
    // The runs' folders go with the temporary ones.
    ...{splits: blobs[0], dataMaps: blobs[1], runs: new BucketRuns(bucket, join(caches[0].temporaryFolder, 'runs'))},
    async isOwn(databaseId) {
      const read = async () => {
        let found: Buffer | undefined;
        await bucket.read(markerName, async bytes => {
          const chunks: Uint8Array[] = [];
          for await (const chunk of bytes) chunks.push(chunk);
          found = Buffer.concat(chunks);
        });
        return found?.toString();
      };
      if ((await read()) === undefined) {
        const file = join(caches[0].temporaryFolder, markerName);
        await writeFileAtomically(file, [Buffer.from(databaseId)]);
        await bucket.put(markerName, file);
      }
      return (await read()) === databaseId;
    },
    async close() {
      for (const cache of caches) await cache.close();
      bucket.close();
    },
  };
}
