import assert from 'node:assert/strict';
import {mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {openCheckpoint} from '../../src/data/checkpoint.js';
import {parseModelReference, resolveModel} from '../../src/data/model-reference.js';
import {writeSafetensors} from '../../src/data/safetensors.js';
import {loadTokenizer} from '../../src/data/tokenizer.js';
import {commit, repository, startFakeHub} from './fake-hub.js';
import {ftftError, modelFolder, temporaryFolder, tensor, tensors} from './model-folder.js';

const notFound = (message: RegExp) => ftftError('NOT_FOUND', 'MODEL_NOT_FOUND', message);

/** A fake hub that serves a tiny BERT, and options with an empty cache. */
async function hubAndOptions(t: TestContext) {
  const source = await modelFolder(t);
  writeFileSync(join(source, 'pytorch_model.bin'), 'never fetched');
  // Large enough to be served as a large file.
  await writeSafetensors(join(source, 'model.safetensors'), [
    ...tensors,
    tensor('big', [1000], new Float32Array(1000)),
  ]);
  const hub = await startFakeHub(t, source);
  const options = {
    modelDir: await temporaryFolder(t),
    cacheDir: await temporaryFolder(t),
    isOffline: false,
    hubUrl: hub.url,
  };
  return {hub, options, source};
}

const wholeBlobs = (cacheDir: string) => blobs(cacheDir).filter(name => !name.endsWith('.incomplete'));

/** Files of the cache that hold bytes, complete or not. */
function blobs(cacheDir: string): string[] {
  const folder = join(cacheDir, `models--${repository.replace('/', '--')}`, 'blobs');
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

test('references are presets, local folders, or hub names with a revision; anything else is refused', () => {
  assert.deepEqual(parseModelReference('owner/name@refs/pr/1'), {
    kind: 'hub',
    name: 'owner/name',
    revision: 'refs/pr/1',
  });
  assert.deepEqual(parseModelReference('local:a/b'), {kind: 'local', folder: 'a/b'});
  assert.equal(parseModelReference('minilm-l6').kind, 'preset');
  for (const wrong of [
    '',
    'name',
    'a/b/c',
    '../b',
    'a/..',
    'a/b@',
    'a/b@../c',
    'a/b@c//d',
    'a b/c',
    '/a/b',
    'https://a/b',
    'constructor',
  ])
    assert.throws(
      () => parseModelReference(wrong),
      ftftError('INVALID_ARGUMENT', 'INVALID_FIELD', /model must be a preset/),
      wrong,
    );
});

test('a model is fetched with the files that are read, is whole, and comes from the cache afterwards', async t => {
  const {hub, options, source} = await hubAndOptions(t);
  const progress: number[] = [];
  const folder = await resolveModel(repository, {
    ...options,
    onProgress: ({doneBytes, totalBytes}) => progress.push(doneBytes / totalBytes),
  });
  assert.deepEqual(readdirSync(folder).sort(), ['config.json', 'model.safetensors', 'vocab.txt']);
  for (const name of readdirSync(folder))
    assert.deepEqual(readFileSync(join(folder, name)), readFileSync(join(source, name)));
  assert.equal((await openCheckpoint(folder)).tensors.size, 3);
  assert.equal((await loadTokenizer(folder)).vocabSize, 12);
  assert.equal(progress.at(-1), 1);
  assert.deepEqual(
    progress,
    [...progress].sort((a, b) => a - b),
  );
  hub.requests.length = 0;
  assert.equal(await resolveModel(repository, options), folder);
  assert.deepEqual(
    hub.requests.filter(request => request.includes('/resolve/')),
    [],
    'no file is fetched twice',
  );
  hub.requests.length = 0;
  assert.equal(await resolveModel(`${repository}@${commit}`, options), folder);
  assert.equal(await resolveModel(repository, {...options, isOffline: true}), folder);
  assert.deepEqual(hub.requests, [], 'a commit and an offline run need no connection');
  hub.close();
  assert.equal(await resolveModel(repository, options), folder, 'a hub out of reach is no harm');
});

test('offline, a model that the cache lacks is NOT_FOUND without a connection', async t => {
  const {hub, options} = await hubAndOptions(t);
  for (const reference of [repository, 'minilm-l6'])
    await assert.rejects(
      resolveModel(reference, {...options, isOffline: true}),
      notFound(/not in the cache .* FTFT_OFFLINE forbids to fetch it; fetch it once without/),
    );
  assert.deepEqual(hub.requests, []);
});

test('a download that is damaged or cut is UNAVAILABLE, leaves no file that counts, and succeeds when tried again', async t => {
  const {hub, options} = await hubAndOptions(t);
  for (const [fault, message] of [
    ['damaged', /was damaged on its way/],
    ['cut', /Cannot fetch model/],
  ] as const) {
    hub.fault = fault;
    await assert.rejects(resolveModel(repository, options), ftftError('UNAVAILABLE', 'HUB_UNAVAILABLE', message));
    assert.deepEqual(wholeBlobs(options.cacheDir), []);
  }
  hub.fault = undefined;
  assert.equal((await openCheckpoint(await resolveModel(repository, options))).tensors.size, 3);
});

test('names the hub does not know are NOT_FOUND, a hub in trouble is UNAVAILABLE', async t => {
  const {hub, options} = await hubAndOptions(t);
  await assert.rejects(
    resolveModel('owner/other', options),
    notFound(/owner\/other: the hub has no model of this name/),
  );
  await assert.rejects(resolveModel(`${repository}@none`, options), notFound(/with revision none/));
  hub.fault = 401;
  await assert.rejects(resolveModel(repository, options), notFound(/FTFT_HF_TOKEN/));
  hub.fault = 503;
  await assert.rejects(resolveModel(repository, options), ftftError('UNAVAILABLE', 'HUB_UNAVAILABLE', /try again/));
  hub.close();
  await assert.rejects(resolveModel(repository, options), ftftError('UNAVAILABLE', 'HUB_UNAVAILABLE', /try again/));
});

test('a repository without weights that we read is refused, with what it holds', async t => {
  const {options, source} = await hubAndOptions(t);
  rmSync(join(source, 'model.safetensors'));
  renameSync(join(source, 'pytorch_model.bin'), join(source, 'tf_model.h5'));
  const hub = await startFakeHub(t, source);
  await assert.rejects(
    resolveModel(repository, {...options, hubUrl: hub.url}),
    ftftError('FAILED_PRECONDITION', 'MODEL_INVALID', /must hold model.safetensors or .* found .*tf_model.h5/),
  );
  assert.deepEqual(blobs(options.cacheDir), []);
});

test('all shards of a sharded model are fetched, and offline needs all of them', async t => {
  const {options, source} = await hubAndOptions(t);
  const shard = 'model-00001-of-00001.safetensors';
  renameSync(join(source, 'model.safetensors'), join(source, shard));
  writeFileSync(join(source, 'model.safetensors.index.json'), JSON.stringify({weight_map: {big: shard}}));
  const hub = await startFakeHub(t, source);
  const folder = await resolveModel(repository, {...options, hubUrl: hub.url});
  assert.deepEqual([...(await openCheckpoint(folder)).tensors.keys()], ['big']);
  rmSync(join(folder, shard));
  await assert.rejects(resolveModel(repository, {...options, isOffline: true}), notFound(/not in the cache/));
});

test('a fetch that is aborted ends with the reason of its signal', async t => {
  const {options} = await hubAndOptions(t);
  const controller = new AbortController();
  const reason = new Error('enough');
  const aborted = resolveModel(repository, {
    ...options,
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  });
  await assert.rejects(aborted, error => error === reason);
});

test('local folders and presets come from the model directory, and nothing outside it does', async t => {
  const outside = await modelFolder(t);
  const modelDir = await temporaryFolder(t);
  const options = {modelDir, cacheDir: modelDir, isOffline: true};
  for (const name of ['minilm-l6', 'mine']) {
    mkdirSync(join(modelDir, name));
    writeFileSync(join(modelDir, name, 'config.json'), '{}');
  }
  assert.equal(await resolveModel('minilm-l6', options), join(modelDir, 'minilm-l6'));
  assert.equal(await resolveModel('local:mine', options), join(modelDir, 'mine'));
  symlinkSync(outside, join(modelDir, 'link'));
  for (const name of ['link', 'absent', 'mine/config.json', '.'])
    await assert.rejects(
      resolveModel(`local:${name}`, options),
      notFound(/local:.*expected a folder of this name/),
      name,
    );
  for (const name of ['', '..', 'mine/../..', outside, 'a\0b'])
    await assert.rejects(
      resolveModel(`local:${name}`, options),
      ftftError('INVALID_ARGUMENT', 'INVALID_FIELD', /model must name a folder inside the model directory/),
      name,
    );
});
