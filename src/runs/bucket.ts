// Files ↔ objects of an S3-compatible bucket below a prefix: put whole or not at all, in parts where they are large, streamed both ways.
// Endpoint, region and credentials are found as AWS's tools find them.
import {createReadStream} from 'node:fs';
import {stat} from 'node:fs/promises';
import {setTimeout as wait} from 'node:timers/promises';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import {Upload} from '@aws-sdk/lib-storage';
import {FtftError} from '../errors.js';
import {explainBucketError, isNoSuchObject} from './bucket-errors.js';

/** What may wait in memory is two of them; the service takes no more than 10,000. */
const leastPartBytes = 8 << 20;
const maxParts = 10_000;
const maxGets = 3;

export interface BucketOptions {
  bucket: string;
  /** Of all keys: '' or ends with a slash. */
  prefix: string;
  /** Names the bucket in the path of requests rather than in their host. */
  isPathStyle: boolean;
  /** AWS's own settings decide when undefined. */
  region?: string;
  /** Without a byte for so long the service counts as gone. */
  idleMs?: number;
  /** Of one request; half a minute apart at most. */
  maxTries?: number;
  /** For tests; else as AWS's tools find them. */
  client?: Pick<S3ClientConfig, 'endpoint' | 'credentials'>;
}

export interface StoredObject {
  /** Below the prefix. */
  key: string;
  numBytes: number;
  /** Milliseconds since 1970, by the service's clock. */
  putTime: number;
}

export class Bucket {
  private readonly client: S3Client;

  constructor(private readonly options: BucketOptions) {
    const {isPathStyle, region, idleMs = 30_000, maxTries = 4, client} = options;
    this.client = new S3Client({
      forcePathStyle: isPathStyle,
      ...(region !== undefined && {region}),
      maxAttempts: maxTries,
      // Every blob is checked by its SHA-256.
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {connectionTimeout: Math.min(idleMs, 5000), socketTimeout: idleMs},
      ...client,
    });
  }

  uri(key: string): string {
    const {bucket, prefix} = this.options;
    return `s3://${bucket}/${prefix}${key}`;
  }

  /** Throws where the bucket cannot be used as it is set. */
  async check(): Promise<void> {
    for await (const _ of this.list('')) return;
  }

  /** In place of what was there. An upload in parts that fails is taken back. */
  async put(key: string, file: string): Promise<void> {
    const {size} = await stat(file);
    await this.explained(async () => {
      const upload = new Upload({
        client: this.client,
        params: {Bucket: this.options.bucket, Key: this.options.prefix + key, Body: createReadStream(file)},
        partSize: Math.max(leastPartBytes, Math.ceil(size / maxParts)),
        queueSize: 2,
      });
      await upload.done();
    });
  }

  /** Its bytes; undefined where there is no such object. */
  private async get(key: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    const {bucket, prefix} = this.options;
    try {
      const {Body} = await this.client.send(new GetObjectCommand({Bucket: bucket, Key: prefix + key}));
      return Body as unknown as AsyncIterable<Uint8Array>;
    } catch (error) {
      if (isNoSuchObject(error)) return undefined;
      throw error;
    }
  }

  /** Calls take with its bytes, again from the first where they break off; false where there is no such object. */
  async read(key: string, take: (bytes: AsyncIterable<Uint8Array>) => Promise<void>): Promise<boolean> {
    return await this.explained(async () => {
      for (let tries = 1; ; tries++) {
        try {
          const bytes = await this.get(key);
          if (bytes) await take(bytes);
          return bytes !== undefined;
        } catch (error) {
          const isOfNetwork = explainBucketError(error, '') !== error && !(error instanceof FtftError);
          if (!isOfNetwork || tries === maxGets) throw error;
          await wait(100 * tries);
        }
      }
    });
  }

  /** No error where there is none. */
  async remove(keys: string[]): Promise<void> {
    const {bucket, prefix} = this.options;
    for (let first = 0; first < keys.length; first += 1000) {
      const Objects = keys.slice(first, first + 1000).map(key => ({Key: prefix + key}));
      await this.explained(async () => {
        const {Errors = []} = await this.client.send(
          new DeleteObjectsCommand({Bucket: bucket, Delete: {Objects, Quiet: true}}),
        );
        for (const {Code = 'Error', Message} of Errors)
          throw Object.assign(new Error(Message), {name: Code, $metadata: {}});
      });
    }
  }

  /** Keys that begin so, in their order. */
  async *list(start: string): AsyncGenerator<StoredObject> {
    const {bucket, prefix} = this.options;
    for (let token: string | undefined, isFirst = true; isFirst || token !== undefined; isFirst = false) {
      const page = await this.explained(() =>
        this.client.send(new ListObjectsV2Command({Bucket: bucket, Prefix: prefix + start, ContinuationToken: token})),
      );
      for (const {Key = '', Size = 0, LastModified} of page.Contents ?? [])
        yield {key: Key.slice(prefix.length), numBytes: Size, putTime: LastModified?.getTime() ?? 0};
      token = page.NextContinuationToken;
    }
  }

  /** What follows the start in keys, up to the next slash: once each. */
  async *folders(start: string): AsyncGenerator<string> {
    const {bucket, prefix} = this.options;
    for (let token: string | undefined, isFirst = true; isFirst || token !== undefined; isFirst = false) {
      const page = await this.explained(() =>
        this.client.send(
          new ListObjectsV2Command({
            ...{Bucket: bucket, Prefix: prefix + start, Delimiter: '/', ContinuationToken: token},
          }),
        ),
      );
      for (const {Prefix = ''} of page.CommonPrefixes ?? []) yield Prefix.slice(prefix.length + start.length, -1);
      token = page.NextContinuationToken;
    }
  }

  close(): void {
    this.client.destroy();
  }

  private async explained<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      throw explainBucketError(error, `the bucket ${this.uri('')}`);
    }
  }
}
