// A real S3 server for tests, versitygw as set-up built it, over a folder of its own.
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {CreateBucketCommand, S3Client} from '@aws-sdk/client-s3';
import {readConfig} from '../../src/config.js';
import type {BucketOptions} from '../../src/runs/bucket.js';
import {freePort} from './free-port.js';

const program = join(readConfig(process.env).cacheDir, 's3-server', 's3-server');
export const credentials = {accessKeyId: 'tester', secretAccessKey: 'secret of the tester'};

export interface S3Server {
  endpoint: string;
  /** Parent of the buckets' folders, in which each object is a file under its key. */
  folder: string;
  /** Options for a fresh, empty bucket. */
  bucket(): Promise<BucketOptions>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** After a kill, over the same folder. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Why there is none, for the tests that are skipped. */
export const noS3Server = existsSync(program)
  ? undefined
  : 'no S3 server was built: node scripts/setup.mjs --tests, where there is Go 1.25 or later';

export async function startS3Server(): Promise<S3Server> {
  const own = mkdtempSync(join(tmpdir(), 'ftft-s3-'));
  const [folder, metadata] = [join(own, 'objects'), join(own, 'metadata')];
  for (const made of [folder, metadata]) mkdirSync(made);
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  let numBuckets = 0;

  const server: S3Server = {
    endpoint,
    folder,
    async bucket() {
      const options: BucketOptions = {
        bucket: `bucket-${++numBuckets}`,
        prefix: 'some/prefix/',
        isPathStyle: true,
        region: 'us-east-1',
        client: {endpoint, credentials},
      };
      const client = new S3Client({endpoint, credentials, region: 'us-east-1', forcePathStyle: true});
      await client.send(new CreateBucketCommand({Bucket: options.bucket}));
      client.destroy();
      return options;
    },
    async kill() {
      const ending = child;
      child = undefined;
      if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
      const exit = once(ending, 'exit');
      ending.kill('SIGKILL');
      await exit;
    },
    async start() {
      const env = {
        ...process.env,
        ROOT_ACCESS_KEY: credentials.accessKeyId,
        ROOT_SECRET_KEY: credentials.secretAccessKey,
      };
      const started = spawn(program, [`127.0.0.1:${port}`, folder, metadata], {
        env,
        cwd: own,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      child = started;
      for (let tries = 0; ; tries++) {
        try {
          return void (await fetch(endpoint));
        } catch (error) {
          if (started.exitCode !== null || tries > 600) throw error;
          await wait(50);
        }
      }
    },
    async stop() {
      await server.kill();
      process.off('exit', cleanUp);
      rmSync(own, {recursive: true, force: true, maxRetries: 3});
    },
  };
  const cleanUp = () => {
    child?.kill('SIGKILL');
    rmSync(own, {recursive: true, force: true});
  };
  process.on('exit', cleanUp);
  await server.start();
  return server;
}
