import assert from 'node:assert/strict';
import {readFileSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {after, type TestContext, test} from 'node:test';
import {ListMultipartUploadsCommand, S3Client} from '@aws-sdk/client-s3';
import type {BucketOptions} from '../../src/runs/bucket.js';
import {silent} from '../../src/runs/logger.js';
import {openArtifacts} from '../../src/runs/open-artifacts.js';
import {newOwner} from '../../src/runs/owner.js';
import {type Fault, startFaultyProxy} from '../support/faulty-proxy.js';
import {credentials, noS3Server, startS3Server} from '../support/s3-server.js';
import {fillUp, mountSmallDisk, unmount} from '../support/small-disk.js';
import {artifactsConformance} from './artifacts-conformance.js';
import {temporaryFolder} from './support/open-runs.js';

if (noS3Server) test('a bucket', {skip: noS3Server}, () => {});
else {
  const server = await startS3Server();
  after(() => server.stop());
  let numCaches = 0;

  /** With an empty cache of its own, as on another machine. */
  const open = async (t: TestContext, bucket: BucketOptions, cacheDir?: string) => {
    const folder = await temporaryFolder(t);
    const options = {dataDir: folder, cacheDir: cacheDir ?? join(folder, `cache-${++numCaches}`)};
    const artifacts = await openArtifacts({...options, bucket}, newOwner(), silent);
    t.after(() => artifacts.close());
    return artifacts;
  };
  const away = (message: RegExp) => (error: Error) => {
    assert.match(error.message, message);
    const {code, details} = error as Error & {code?: string; details?: {reason: string; retryAfterMs: number}};
    assert.deepEqual([code, details?.reason, details?.retryAfterMs], ['UNAVAILABLE', 'STORE_UNAVAILABLE', 1000]);
    return true;
  };
  const large = [Buffer.alloc(20 << 20, 'l')];
  const small = [Buffer.from('small')];

  artifactsConformance('a bucket', async t => {
    const bucket = await server.bucket();
    return {place: join(server.folder, bucket.bucket, bucket.prefix), open: () => open(t, bucket)};
  });

  test('a service that is gone is one clear error; what the cache holds is read, and the rest when it is back', async t => {
    const other = await startS3Server();
    t.after(() => other.stop());
    const bucket = {...(await other.bucket()), maxTries: 2};
    const [{splits}, {splits: elsewhere}] = [await open(t, bucket), await open(t, bucket)];
    const sha256 = await splits.put(small);
    await other.kill();
    const gone = away(
      /^Cannot use the bucket s3:\/\/bucket-1\/some\/prefix\/: the service must answer, it did not \(ECONN/,
    );
    await assert.rejects(splits.put(large), gone);
    assert.equal(readFileSync(await splits.fetch(sha256), 'utf8'), 'small');
    await assert.rejects(elsewhere.fetch(sha256), gone);
    await assert.rejects(splits.remove(sha256), gone);
    await other.start();
    assert.equal(readFileSync(await elsewhere.fetch(sha256), 'utf8'), 'small');
  });

  test('a service that does not answer, or stops in the midst of an answer, counts as gone; one that breaks off is asked again', async t => {
    let fault: Fault;
    let numBroken = 0;
    const endpoint = await startFaultyProxy(t, server.endpoint, ({method}) => {
      if (fault === 'broken off' && method === 'GET') return numBroken++ === 0 ? fault : undefined;
      return fault;
    });
    const bucket = await server.bucket();
    const slow = {...bucket, client: {endpoint, credentials}, idleMs: 300, maxTries: 1};
    const {splits} = await open(t, bucket);
    const [one, two] = [await splits.put(large), await splits.put(small)];
    const {splits: behind} = await open(t, slow);
    fault = 'unanswered';
    await assert.rejects(behind.fetch(two), away(/the service must answer, it did not \(TimeoutError/));
    await assert.rejects(behind.put([Buffer.from('other')]), away(/TimeoutError/));
    fault = 'stalled';
    await assert.rejects(behind.fetch(one), away(/the service must answer, it did not \(TimeoutError/));
    fault = 'broken off';
    assert.deepEqual(readFileSync(await behind.fetch(one)), large[0]);
    assert.equal(numBroken, 2);
  });

  test('an upload in parts that fails is taken back', async t => {
    const bucket = await server.bucket();
    const endpoint = await startFaultyProxy(t, server.endpoint, ({url}) =>
      url?.includes('partNumber=2') ? 'refused' : undefined,
    );
    const {splits} = await open(t, {...bucket, client: {endpoint, credentials}, maxTries: 1});
    await assert.rejects(splits.put(large), away(/the service must answer, it did not/));
    const client = new S3Client({endpoint, credentials, region: 'us-east-1', forcePathStyle: true});
    const {Uploads = []} = await client.send(new ListMultipartUploadsCommand({Bucket: bucket.bucket}));
    client.destroy();
    assert.deepEqual(Uploads, []);
    for await (const blob of splits.list()) assert.fail(`${blob.sha256} is there`);
  });

  test('wrong credentials and a bucket that is not there say so at once, in one sentence, without the secret', async t => {
    const bucket = await server.bucket();
    const opened = (change: Partial<BucketOptions>) => open(t, {...bucket, ...change});
    const as = (keys: Partial<typeof credentials>) => ({
      client: {endpoint: server.endpoint, credentials: {...credentials, ...keys}},
    });
    await assert.rejects(opened({bucket: 'nowhere'}), away(/: the bucket must exist, it does not; make it, or set/));
    await assert.rejects(
      opened(as({accessKeyId: 'stranger'})),
      away(/: the service (does not know the access key id$|refuses the credentials \()/),
    );
    await assert.rejects(opened(as({secretAccessKey: 'wrong secret'})), (error: Error) => {
      assert.ok(!error.message.includes('wrong secret'));
      return away(/: the secret access key must be that of the access key id, it is not$/)(error);
    });
  });

  test('a full disk under the cache is DISK_FULL, leaves nothing, and with room again all goes on', async t => {
    const disk = join(await temporaryFolder(t), 'disk');
    if (!mountSmallDisk(t, disk)) return;
    try {
      const bucket = await server.bucket();
      const {splits} = await open(t, bucket);
      const kept = await splits.put([Buffer.alloc(1 << 20, 'k')]);
      const {splits: here} = await open(t, bucket, join(disk, 'cache'));
      const ballast = join(disk, 'ballast');
      fillUp(disk, ballast);
      const full = {code: 'RESOURCE_EXHAUSTED', details: {reason: 'DISK_FULL'}, message: /the disk is full; free some/};
      await assert.rejects(here.fetch(kept), full);
      await assert.rejects(here.put([Buffer.alloc(1 << 20, 'o')]), full);
      rmSync(ballast);
      assert.equal(readFileSync(await here.fetch(kept)).length, 1 << 20);
    } finally {
      unmount(disk);
    }
  });
}
