import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync} from 'node:fs';
import {hostname} from 'node:os';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {openCheckpoint} from '../../src/data/checkpoint.js';
import {type HubOptions, resolveHubModel} from '../../src/data/hub.js';
import {writeSafetensors} from '../../src/data/safetensors.js';
import {mountSmallDisk, unmount} from '../support/small-disk.js';
import {commit, repository, startFakeHub} from './fake-hub.js';
import {ftftError, modelFolder, temporaryFolder, tensor, tensors} from './model-folder.js';
import {stateDict, torchRecords, zip} from './torch-file.js';

const isUnavailable = (message: RegExp) => ftftError('UNAVAILABLE', 'HUB_UNAVAILABLE', message);
const values = Float32Array.from({length: 500_000}, (_, i) => i);
const weightsBytes = 4 * values.length;

/** A fake hub that serves a BERT of 2 MB, its empty cache, and ways to call it. */
async function setUp(t: TestContext, change: (source: string) => unknown = () => undefined) {
  const source = await modelFolder(t);
  await writeSafetensors(join(source, 'model.safetensors'), [...tensors, tensor('big', [values.length], values)]);
  await change(source);
  const hub = await startFakeHub(t, source);
  const options = {cacheDir: await temporaryFolder(t), isOffline: false, hubUrl: hub.url};
  const storage = join(options.cacheDir, 'models--owner--tiny-bert');
  const weights = () => readFileSync(join(source, 'model.safetensors'));
  return {
    hub,
    options,
    source,
    storage,
    weights,
    blob: () => join(storage, 'blobs', createHash('sha256').update(weights()).digest('hex')),
    fetchModel: (changes: Partial<HubOptions> = {}) => resolveHubModel(repository, undefined, {...options, ...changes}),
    partials: () => readdirSync(join(storage, 'blobs')).filter(name => name.endsWith('.incomplete')),
  };
}

test('a connection that breaks is continued where it broke', async t => {
  const {hub, fetchModel, weights, partials} = await setUp(t);
  const progress: number[] = [];
  const onProgress: HubOptions['onProgress'] = ({file, doneBytes}) => {
    progress.push(doneBytes);
    // The weights come last.
    if (file === 'vocab.txt') hub.fault = 'cut once';
  };
  const folder = await fetchModel({onProgress});
  assert.deepEqual(readFileSync(join(folder, 'model.safetensors')), weights());
  assert.equal(hub.rangeStarts.length, 1);
  assert.ok(hub.rangeStarts[0] > 0 && hub.rangeStarts[0] <= weightsBytes / 2 + 1000, `${hub.rangeStarts}`);
  assert.deepEqual(partials(), []);
  assert.deepEqual(
    progress,
    progress.toSorted((a, b) => a - b),
  );
});

test('what a broken-off download brought is kept, and the next one continues there', async t => {
  const {hub, fetchModel, weights, partials, storage} = await setUp(t);
  hub.fault = 'cut';
  await assert.rejects(fetchModel(), isUnavailable(/Cannot fetch model owner\/tiny-bert: .*; try again/));
  const size = (name: string) => statSync(join(storage, 'blobs', name)).size;
  // Five connections, each half of the rest; the smallest file fails first.
  assert.equal(partials().length, 1);
  const kept = size(partials()[0]);
  assert.ok(kept > 0);
  hub.fault = undefined;
  hub.rangeStarts.length = 0;
  const folder = await fetchModel();
  assert.deepEqual(hub.rangeStarts, [kept]);
  assert.deepEqual(readFileSync(join(folder, 'model.safetensors')), weights());
  assert.deepEqual(partials(), []);
});

test('what an ended process left is continued, what a running one writes is left to it', async t => {
  const {hub, fetchModel, weights, blob, partials, storage} = await setUp(t);
  await fetchModel();
  const half = weights().subarray(0, weightsBytes / 2);
  const {pid: ended} = spawnSync('true');
  const elsewhere = `${blob()}.elsewhere-1-00000000.incomplete`;
  const cases: [string, boolean][] = [
    [`${blob()}.${hostname()}-${ended}-00000000.incomplete`, true],
    // This process had the id of an earlier one, in a container that was started again.
    [`${blob()}.${hostname()}-${process.pid}-00000000.incomplete`, true],
    [`${blob()}.${hostname()}-${process.ppid}-00000000.incomplete`, false],
    [elsewhere, false],
    // Python's names.
    [`${blob()}.0123abcd.incomplete`, false],
    [`${blob()}.incomplete`, false],
  ];
  for (const [partial, isAbandoned] of cases) {
    for (const isOld of [false, true]) {
      rmSync(blob());
      writeFileSync(partial, half);
      if (isOld) utimesSync(partial, new Date(), new Date(Date.now() - 11 * 60_000));
      hub.rangeStarts.length = 0;
      const folder = await fetchModel();
      assert.deepEqual(hub.rangeStarts, isAbandoned || isOld ? [half.length] : [], `${partial} ${isOld}`);
      assert.deepEqual(readFileSync(join(folder, 'model.safetensors')), weights());
      assert.equal(partials().length, isAbandoned || isOld ? 0 : 1);
      rmSync(partial, {force: true});
    }
  }
  assert.ok(readdirSync(join(storage, 'refs')).includes('main'));
});

test('kept bytes that are wrong, too many, or asked of a hub without ranges, cost a second fetch and no more', async t => {
  const {hub, fetchModel, weights, blob} = await setUp(t);
  await fetchModel();
  for (const [kept, fault] of [
    [Buffer.alloc(1000, 'x'), undefined],
    [Buffer.alloc(weightsBytes * 2), undefined],
    [weights().subarray(0, 1000), 'no ranges'],
  ] as const) {
    rmSync(blob());
    writeFileSync(`${blob()}.left.incomplete`, kept);
    hub.fault = fault;
    const folder = await fetchModel();
    assert.deepEqual(readFileSync(join(folder, 'model.safetensors')), weights());
  }
});

test('bytes with another digest than the hub gives are refused and not kept', async t => {
  const {hub, fetchModel, partials} = await setUp(t);
  hub.fault = 'damaged';
  await assert.rejects(fetchModel(), isUnavailable(/config.json was damaged on its way: its digest differs/));
  assert.deepEqual(partials(), []);
});

test('the weights of each layout are fetched with the tokenizer of each family, and the first layout alone', async t => {
  const stored = [{type: 'Float', bytes: new Uint8Array(values.buffer)}];
  const bin = zip(torchRecords(stateDict([{name: 'big', shape: [values.length], storage: 0}], stored), stored));
  const index = (shard: string) => JSON.stringify({weight_map: {big: shard}});
  const layouts: [string[], (source: string) => void][] = [
    [['pytorch_model.bin'], source => writeFileSync(join(source, 'pytorch_model.bin'), bin)],
    [
      ['pytorch_model-1.bin', 'pytorch_model.bin.index.json'],
      source => {
        writeFileSync(join(source, 'pytorch_model-1.bin'), bin);
        writeFileSync(join(source, 'pytorch_model.bin.index.json'), index('pytorch_model-1.bin'));
      },
    ],
    [
      ['model-1.safetensors', 'model.safetensors.index.json'],
      source => {
        renameSync(join(source, 'model.safetensors'), join(source, 'model-1.safetensors'));
        writeFileSync(join(source, 'model.safetensors.index.json'), index('model-1.safetensors'));
        writeFileSync(join(source, 'pytorch_model.bin'), 'never fetched');
      },
    ],
  ];
  const tokenizer = [
    'added_tokens.json',
    'merges.txt',
    'special_tokens_map.json',
    'spm.model',
    'vocab.json',
    'vocab.txt',
  ];
  for (const [expected, change] of layouts) {
    const {fetchModel, hub} = await setUp(t, source => {
      change(source);
      if (!expected.some(name => name.includes('safetensors'))) rmSync(join(source, 'model.safetensors'));
      for (const name of [...tokenizer, 'tf_model.h5', 'pytorch_model.generator.bin'])
        writeFileSync(join(source, name), name);
    });
    const progress: number[] = [];
    const folder = await fetchModel({onProgress: ({doneBytes, totalBytes}) => progress.push(doneBytes / totalBytes)});
    assert.deepEqual(readdirSync(folder).sort(), ['config.json', ...tokenizer, ...expected].sort());
    assert.deepEqual((await openCheckpoint(folder)).tensors.get('big')?.read(), values);
    assert.equal(progress.at(-1), 1);
    assert.deepEqual(
      progress,
      progress.toSorted((a, b) => a - b),
    );
    hub.close();
    assert.equal(await fetchModel({isOffline: true}), folder);
    rmSync(join(folder, expected[0]));
    await assert.rejects(fetchModel({isOffline: true}), ftftError('NOT_FOUND', 'MODEL_NOT_FOUND', /not in the cache/));
  }
});

test('any one kind of vocabulary makes a cached model complete', async t => {
  const {fetchModel} = await setUp(t, source => renameSync(join(source, 'vocab.txt'), join(source, 'spm.model')));
  const folder = await fetchModel();
  assert.equal(await fetchModel({isOffline: true}), folder);
  rmSync(join(folder, 'spm.model'));
  await assert.rejects(fetchModel({isOffline: true}), ftftError('NOT_FOUND', 'MODEL_NOT_FOUND', /not in the cache/));
});

test('a repository without a shard that its index names, or without config.json, is MODEL_INVALID', async t => {
  const withIndex = await setUp(t, source => {
    rmSync(join(source, 'model.safetensors'));
    writeFileSync(join(source, 'model.safetensors.index.json'), '{"weight_map": {"a": "b.safetensors"}}');
  });
  const isInvalid = (message: RegExp) => ftftError('FAILED_PRECONDITION', 'MODEL_INVALID', message);
  await assert.rejects(
    withIndex.fetchModel(),
    isInvalid(/must hold b.safetensors, found .*model.safetensors.index.json/),
  );
  const {fetchModel} = await setUp(t, source => rmSync(join(source, 'config.json')));
  await assert.rejects(fetchModel(), isInvalid(/must hold config.json, found/));
});

test('a gated repository says how to be let in, an unreachable hub why it is', async t => {
  const {hub, fetchModel} = await setUp(t);
  const closed = await setUp(t);
  closed.hub.close();
  await assert.rejects(
    closed.fetchModel(),
    isUnavailable(/fetch failed: .*ECONNREFUSED.*try again, or put the folder/),
  );
  hub.fault = 'gated';
  await assert.rejects(
    fetchModel(),
    ftftError('NOT_FOUND', 'MODEL_NOT_FOUND', /it is gated: ask for access on its page .* set FTFT_HF_TOKEN/),
  );
});

test('a disk that fills up during a download is RESOURCE_EXHAUSTED, and is not left full', async t => {
  const {storage, fetchModel} = await setUp(t, async source => {
    await writeSafetensors(join(source, 'model.safetensors'), [tensor('big', [2 << 20], new Float32Array(2 << 20))]);
  });
  if (!mountSmallDisk(t, storage)) return;
  try {
    await assert.rejects(
      fetchModel(),
      ftftError('RESOURCE_EXHAUSTED', 'DISK_FULL', /Cannot write .*: the disk is full; free some space and try again/),
    );
    const blobs = readdirSync(join(storage, 'blobs'));
    assert.ok(!blobs.some(name => name.endsWith('.incomplete')), `${blobs}`);
    assert.deepEqual(readdirSync(join(storage, 'snapshots')), [commit]);
  } finally {
    unmount(storage);
  }
});
