// Blobs as objects of a bucket, with copies in a local cache folder from which they are read.
import {FtftError} from '../errors.js';
import type {BlobStore, Damaged, StoredBlob} from './artifacts.js';
import type {Bucket} from './bucket.js';
import {findCopy, trimCache} from './file-cache.js';
import type {FileStore} from './file-store.js';

export interface BucketBlobsOptions {
  /** Of the keys, ends with a slash. */
  folder: string;
  /** With its dot. */
  extension: string;
  /** Of the copies together. */
  maxCacheBytes: number;
  damaged: Damaged;
}

export class BucketBlobs implements BlobStore {
  /** Copies that are on their way. */
  private readonly coming = new Map<string, Promise<string>>();

  /** cache: a folder of its own, which processes may share. */
  constructor(
    private readonly bucket: Bucket,
    private readonly cache: FileStore,
    private readonly options: BucketBlobsOptions,
  ) {}

  get temporaryFolder(): string {
    return this.cache.temporaryFolder;
  }

  async put(chunks: Iterable<Uint8Array>): Promise<string> {
    const sha256 = await this.cache.put(chunks);
    try {
      await this.bucket.put(this.key(sha256), this.cache.path(sha256));
    } catch (error) {
      await this.cache.remove(sha256);
      throw error;
    }
    await this.trim();
    return sha256;
  }

  async fetch(sha256: string): Promise<string> {
    const coming = this.coming.get(sha256) ?? this.copy(sha256).finally(() => this.coming.delete(sha256));
    this.coming.set(sha256, coming);
    return await coming;
  }

  private async copy(sha256: string): Promise<string> {
    const cached = await findCopy(this.cache, sha256);
    if (cached) return cached;
    try {
      await this.download(sha256);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      await trimCache(this.cache, 0);
      await this.download(sha256);
    }
    await this.trim();
    return await this.cache.fetch(sha256);
  }

  private async download(sha256: string): Promise<void> {
    const key = this.key(sha256);
    const source = this.bucket.uri(key);
    const isThere = await this.bucket.read(key, bytes => this.cache.putCopy(sha256, bytes, source));
    if (!isThere) throw this.options.damaged(source, 'it is not there');
  }

  async has(sha256: string): Promise<boolean> {
    for await (const {key} of this.bucket.list(this.key(sha256))) return key === this.key(sha256);
    return false;
  }

  async remove(sha256: string): Promise<void> {
    await this.bucket.remove([this.key(sha256)]);
    await this.cache.remove(sha256);
  }

  async *list(): AsyncGenerator<StoredBlob> {
    const {folder, extension} = this.options;
    for await (const {key, ...rest} of this.bucket.list(folder)) {
      const sha256 = key.slice(folder.length, -extension.length);
      if (key === this.key(sha256) && /^[0-9a-f]{64}$/.test(sha256)) yield {sha256, ...rest};
    }
  }

  async close(): Promise<void> {
    await this.cache.close();
  }

  private async trim(): Promise<void> {
    await trimCache(this.cache, this.options.maxCacheBytes);
  }

  private key(sha256: string): string {
    const {folder, extension} = this.options;
    return folder + sha256 + extension;
  }
}

const isDiskFull = (error: unknown): boolean => error instanceof FtftError && error.details.reason === 'DISK_FULL';
