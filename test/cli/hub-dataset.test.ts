import assert from 'node:assert/strict';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {fetchHubDataset, type HubDatasetOptions} from '../../src/cli/hub-dataset.js';
import {FtftError} from '../../src/errors.js';
import {commit, startFakeDatasetHub} from './support/fake-dataset-hub.js';

const name = 'owner/reviews';
const large = 'x'.repeat(2000);
const files = {'README.md': '---\n---\n', 'data/train.jsonl': large, 'data/notes.bin': 'no', 'b/test.jsonl': '{}\n'};
const wanted = /\.(md|jsonl)$/;

async function start(t: TestContext, revision = 'main') {
  const hub = await startFakeDatasetHub(t, name, revision, files);
  const cacheDir = mkdtempSync(join(tmpdir(), 'ftft-hub-'));
  t.after(() => rmSync(cacheDir, {recursive: true}));
  const options = {cacheDir, hubUrl: hub.url, isOffline: false, signal: new AbortController().signal};
  const fetched = (more: Partial<HubDatasetOptions> = {}) =>
    fetchHubDataset(name, revision, wanted, {...options, ...more});
  return {hub, cacheDir, fetched};
}

async function refused(call: Promise<unknown>, reason: string, message: RegExp): Promise<void> {
  const error = await call.catch(error => error);
  assert.ok(error instanceof FtftError, String(error));
  assert.equal(error.details.reason, reason);
  assert.match(error.message, message);
}

test("the files that are wanted land in the hub's cache, in the folder of their commit, once", async t => {
  const {hub, cacheDir, fetched} = await start(t);
  const seen: [string, number][] = [];
  const folder = await fetched({onFile: (path, bytes) => seen.push([path, bytes])});
  assert.equal(folder, join(cacheDir, 'datasets--owner--reviews', 'snapshots', commit));
  assert.equal(readFileSync(join(folder, 'data/train.jsonl'), 'utf8'), large);
  assert.equal(readFileSync(join(folder, 'b/test.jsonl'), 'utf8'), '{}\n');
  assert.ok(!existsSync(join(folder, 'data/notes.bin')));
  assert.deepEqual(seen, [
    ['README.md', 8],
    ['data/train.jsonl', 2000],
    ['b/test.jsonl', 3],
  ]);
  const before = hub.requests.length;
  assert.equal(await fetched(), folder);
  assert.ok(!hub.requests.slice(before).some(request => request.includes('/resolve/')), 'nothing is fetched twice');
  hub.fault = 500;
  assert.equal(await fetched({isOffline: true}), folder, 'without a connection the commit that was fetched last');
});

test('a revision may be a path of its own', async t => {
  const {fetched} = await start(t, 'refs/convert/parquet');
  const folder = await fetched();
  assert.equal(await fetched({isOffline: true, hubUrl: 'http://127.0.0.1:1'}), folder);
});

test('a file that is not what the hub says is not kept', async t => {
  for (const [fault, message] of [
    ['damaged', /README\.md was damaged on its way/],
    ['longer', /must have 8 bytes, received more|damaged/],
    ['escape', /no usable digest/],
  ] as const) {
    const {hub, cacheDir, fetched} = await start(t);
    hub.fault = fault;
    await refused(fetched(), 'HUB_UNAVAILABLE', message);
    const left = existsSync(cacheDir) ? readdirSync(cacheDir, {recursive: true, withFileTypes: true}) : [];
    assert.deepEqual(
      left.filter(entry => !entry.isDirectory()),
      [],
      fault,
    );
    hub.fault = undefined;
    await fetched();
  }
});

test('a broken connection, a hub that is away and one that does not have it are told apart', async t => {
  const {hub, fetched} = await start(t);
  hub.fault = 'cut';
  await refused(fetched(), 'HUB_UNAVAILABLE', /Cannot fetch data set owner\/reviews: .*; try again/);
  hub.fault = 503;
  await refused(fetched(), 'HUB_UNAVAILABLE', /try again/);
  await refused(fetched({hubUrl: 'http://127.0.0.1:1'}), 'HUB_UNAVAILABLE', /ECONNREFUSED|fetch failed/);
  hub.fault = 404;
  await refused(fetched(), 'DATASET_NOT_FOUND', /the hub has none of this name/);
  hub.fault = undefined;
  await refused(fetched({isOffline: true}), 'DATASET_NOT_FOUND', /FTFT_OFFLINE forbids/);
  const controller = new AbortController();
  controller.abort(new Error('stopped'));
  await assert.rejects(fetched({signal: controller.signal}), /stopped/);
});
