// What every place of artefacts must do, as tests over one that its own test file makes.
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import type {Artifacts, BlobStore} from '../../src/runs/artifacts.js';
import {loadCheckpoint, saveCheckpoint} from '../../src/runs/checkpoints.js';

export interface ArtifactsUnderTest {
  /** As another process opens it, on another machine where that is possible. */
  open(): Promise<Artifacts>;
  /** Folder in which everything lies as a file under its name. */
  place: string;
}

const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const [one, two] = [Buffer.from('one, 1\n'), Buffer.from('two, 2\n')];
/** Larger than a part of an upload. */
const large = Array.from({length: 24}, (_, i) => Buffer.alloc(1 << 20, i));

async function listed(store: BlobStore): Promise<string[]> {
  const found: string[] = [];
  for await (const {sha256} of store.list()) found.push(sha256);
  return found.sort();
}

async function uids({runs}: Artifacts): Promise<string[]> {
  const found: string[] = [];
  for await (const uid of runs.list()) found.push(uid);
  return found.sort();
}

export function artifactsConformance(name: string, make: (t: TestContext) => Promise<ArtifactsUnderTest>): void {
  async function opened(t: TestContext) {
    const {place, open} = await make(t);
    const artifacts = await open();
    return {place, open, artifacts, ...artifacts};
  }
  const corrupt = (reason: string, message: RegExp) => (error: Error) => {
    assert.match(error.message, message);
    const {code, details} = error as Error & {code?: string; details?: {reason: string}};
    assert.deepEqual([code, details?.reason], ['FAILED_PRECONDITION', reason]);
    return true;
  };

  test(`${name}: a blob is named by its bytes, read by every process, listed, and removed for good`, async t => {
    const {splits, place, open} = await opened(t);
    assert.equal(await splits.put([one.subarray(0, 3), one.subarray(3)]), sha256Of(one));
    assert.equal(await splits.put([two]), sha256Of(two));
    assert.deepEqual(readFileSync(join(place, 'splits', `${sha256Of(one)}.jsonl`)), one);
    const other = await open();
    assert.deepEqual(readFileSync(await other.splits.fetch(sha256Of(one))), one);
    assert.deepEqual(await listed(other.splits), [sha256Of(one), sha256Of(two)].sort());
    assert.deepEqual(await listed(other.dataMaps), []);
    for await (const {numBytes, putTime} of splits.list()) {
      assert.equal(numBytes, one.length);
      assert.ok(Math.abs(putTime - Date.now()) < 3_600_000, String(putTime));
    }
    await splits.remove(sha256Of(one));
    await splits.remove(sha256Of(one));
    assert.deepEqual(await listed(splits), [sha256Of(two)]);
    assert.deepEqual([await other.splits.has(sha256Of(one)), await other.splits.has(sha256Of(two))], [false, true]);
    await assert.rejects((await open()).splits.fetch(sha256Of(one)), corrupt('DATASET_CORRUPT', /it is not there/));
  });

  test(`${name}: a blob larger than a part comes back whole, and twice the same is one`, async t => {
    const {dataMaps, open} = await opened(t);
    const again = (await open()).dataMaps;
    const [sha256, same] = await Promise.all([dataMaps.put(large), again.put(large)]);
    assert.equal(sha256, sha256Of(Buffer.concat(large)));
    assert.equal(same, sha256);
    const files = await Promise.all([1, 2].map(() => dataMaps.fetch(sha256)));
    assert.equal(sha256Of(readFileSync(files[1])), sha256);
    assert.equal(sha256Of(readFileSync(await (await open()).dataMaps.fetch(sha256))), sha256);
    assert.deepEqual(await listed(dataMaps), [sha256]);
  });

  test(`${name}: bytes that break off leave nothing behind`, async t => {
    const {splits, place} = await opened(t);
    function* broken() {
      yield* large.slice(0, 9);
      throw new Error('broken off');
    }
    await assert.rejects(splits.put(broken()), /^Error: broken off$/);
    assert.deepEqual(await listed(splits), []);
    const left = !existsSync(place)
      ? []
      : readdirSync(place, {recursive: true, withFileTypes: true}).filter(entry => entry.isFile());
    assert.deepEqual(left, []);
    assert.deepEqual(readdirSync(splits.temporaryFolder), []);
  });

  test(`${name}: a damaged blob is one clear error, until it is put again`, async t => {
    const {splits, dataMaps, place, open} = await opened(t);
    const [split, map] = [await splits.put(large), await dataMaps.put([two])];
    const file = join(place, 'splits', `${split}.jsonl`);
    writeFileSync(file, Buffer.alloc(1, 'x'), {flag: 'r+'});
    await assert.rejects(
      (await open()).splits.fetch(split),
      corrupt(
        'DATASET_CORRUPT',
        /^Cannot read split file \S+: it must be as it was imported, but its SHA-256 is [0-9a-f]{64}; /,
      ),
    );
    truncateSync(file, 1000);
    await assert.rejects((await open()).splits.fetch(split), corrupt('DATASET_CORRUPT', /its SHA-256 is/));
    writeFileSync(join(place, 'data-maps', `${map}.columns`), one);
    await assert.rejects(
      (await open()).dataMaps.fetch(map),
      corrupt(
        'DATA_MAP_CORRUPT',
        /^Cannot read data map file \S+: it must be as it was written, but its SHA-256 is [0-9a-f]{64}; /,
      ),
    );
    await splits.put(large);
    assert.equal(sha256Of(readFileSync(await (await open()).splits.fetch(split))), split);
  });

  test(`${name}: a checkpoint that was kept is there for every worker, and a damaged one is not trained on`, async t => {
    const {runs, place, open} = await opened(t);
    const tensors = [{name: 'a', shape: [3], read: () => Float32Array.of(1, 2, 3)}];
    const saved = await saveCheckpoint(join(runs.folder('uid'), 'checkpoint-attempt-1-epoch-0.safetensors'), tensors);
    await runs.keepCheckpoint('uid', saved);
    const kept = {file: 'checkpoint-attempt-1-epoch-0.safetensors', sha256: saved.sha256, steps: 7};
    const other = (await open()).runs;
    const found = await other.fetchCheckpoint('uid', kept);
    assert.equal(found.steps, 7);
    assert.equal(sha256Of(readFileSync(found.file)), saved.sha256);
    await loadCheckpoint(found);
    const [file] = readdirSync(join(place, 'runs', 'uid'), {recursive: true, withFileTypes: true}).filter(entry =>
      entry.isFile(),
    );
    writeFileSync(join(file.parentPath, file.name), 'x', {flag: 'r+'});
    const resume = async () => loadCheckpoint(await (await open()).runs.fetchCheckpoint('uid', kept));
    await assert.rejects(
      resume(),
      corrupt(
        'CHECKPOINT_CORRUPT',
        /^Cannot go on from checkpoint \S+: its SHA-256 must be [0-9a-f]{64}, it is [0-9a-f]{64}; start/,
      ),
    );
    await runs.removeAll('uid');
    await assert.rejects(resume(), corrupt('CHECKPOINT_CORRUPT', /^Cannot go on from checkpoint /));
  });

  test(`${name}: an attempt removes checkpoints of its own and of earlier ones, not of a later one`, async t => {
    const {runs, open} = await opened(t);
    const write = async (attempt: number, epoch: number) => {
      const name = `checkpoint-attempt-${attempt}-epoch-${epoch}.safetensors`;
      const tensors = [{name: 'a', shape: [1], read: () => Float32Array.of(10 * attempt + epoch)}];
      const saved = await saveCheckpoint(join(runs.folder('uid'), name), tensors);
      await runs.keepCheckpoint('uid', saved);
      return {...saved, file: name};
    };
    const [first, second, third, later] = [await write(1, 0), await write(1, 1), await write(2, 2), await write(3, 3)];
    const isThere = async (checkpoint: typeof first) => {
      const other = (await open()).runs;
      const load = async () => loadCheckpoint(await other.fetchCheckpoint('uid', checkpoint));
      return await load().then(
        () => true,
        () => false,
      );
    };
    await runs.removeCheckpoints('uid', 2, [undefined, second.file]);
    assert.deepEqual(
      [await isThere(first), await isThere(second), await isThere(third), await isThere(later)],
      [false, true, false, true],
    );
    await runs.removeCheckpoint('uid', second.file);
    await runs.removeCheckpoint('uid', second.file);
    assert.deepEqual([await isThere(second), await isThere(later)], [false, true]);
    await runs.removeCheckpoints('nobody', 1, []);
  });

  test(`${name}: a model is kept as a folder under its URI; leftovers go, the model stays; then all goes`, async t => {
    const {artifacts, runs, place, open} = await opened(t);
    const trained = join(runs.folder('uid'), 'model-attempt-1');
    mkdirSync(join(trained, 'assets.extra'), {recursive: true});
    for (const file of ['config.json', 'model.safetensors', 'assets.extra/vocab.txt'])
      writeFileSync(join(trained, file), `bytes of ${file}`);
    const tensors = [{name: 'a', shape: [1], read: () => Float32Array.of(1)}];
    const saved = await saveCheckpoint(join(runs.folder('uid'), 'checkpoint-attempt-1-epoch-0.safetensors'), tensors);
    await runs.keepCheckpoint('uid', saved);
    const modelUri = await runs.keepModel('uid', trained);
    const kept = join(place, 'runs', 'uid', modelUri.slice(modelUri.lastIndexOf('/') + 1));
    assert.equal(readFileSync(join(kept, 'assets.extra', 'vocab.txt'), 'utf8'), 'bytes of assets.extra/vocab.txt');
    assert.equal(readFileSync(join(kept, 'config.json'), 'utf8'), 'bytes of config.json');
    const other = await open();
    assert.deepEqual(await uids(other), ['uid']);
    await runs.removeLeftovers({uid: 'uid', modelUri});
    assert.equal(readFileSync(join(kept, 'model.safetensors'), 'utf8'), 'bytes of model.safetensors');
    await assert.rejects(async () =>
      loadCheckpoint(
        await other.runs.fetchCheckpoint('uid', {...saved, file: 'checkpoint-attempt-1-epoch-0.safetensors'}),
      ),
    );
    await other.runs.removeAll('uid');
    await other.runs.removeAll('uid');
    assert.deepEqual(await uids(artifacts), []);
  });
}
