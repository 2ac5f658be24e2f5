import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {closeSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {openCheckpoint, saveModelFolder} from '../../src/data/checkpoint.js';
import {writeSafetensors} from '../../src/data/safetensors.js';
import {openWeights} from '../../src/data/weights.js';
import {needsShared, sharedPath} from '../support/shared.js';
import {config, ftftError, modelFolder, temporaryFolder, tensor, tensors} from './model-folder.js';
import {stateDict, torchRecords, zip} from './torch-file.js';

const isInvalid = (message: RegExp) => ftftError('FAILED_PRECONDITION', 'MODEL_INVALID', message);

test('a checkpoint opens with the defaults of BertConfig for what its config leaves out', async t => {
  const {config: read, tensors: opened} = await openCheckpoint(await modelFolder(t));
  const {raw, ...values} = read;
  assert.deepEqual(values, {
    modelType: 'bert',
    vocabSize: 12,
    embeddingSize: 4,
    hiddenSize: 4,
    numHiddenLayers: 1,
    numAttentionHeads: 2,
    intermediateSize: 8,
    hiddenAct: 'gelu',
    hiddenDropoutProb: 0.1,
    attentionProbsDropoutProb: 0.1,
    classifierDropout: 0.1,
    tokenDropout: 0.1,
    answerDropout: 0,
    maxPositionEmbeddings: 16,
    hasPositionEmbeddings: true,
    typeVocabSize: 2,
    layerNormEps: 1e-12,
    initializerRange: 0.02,
    padTokenId: 0,
  });
  assert.deepEqual(raw, config);
  assert.equal(opened.size, 2);
});

test('a config without model_type passes as BERT when it has the keys of BERT', async t => {
  const folder = await modelFolder(t);
  const {model_type, ...others} = config;
  writeFileSync(join(folder, 'config.json'), JSON.stringify(others));
  assert.equal((await openCheckpoint(folder)).config.modelType, model_type);
});

test('a folder that is missing, empty or without weights says what it should hold', async t => {
  const folder = await modelFolder(t);
  await assert.rejects(
    openCheckpoint(join(folder, 'none')),
    ftftError('NOT_FOUND', 'MODEL_NOT_FOUND', /no such folder/),
  );
  rmSync(join(folder, 'model.safetensors'));
  await assert.rejects(
    openCheckpoint(folder),
    isInvalid(
      /must hold model.safetensors or model.safetensors.index.json or pytorch_model.bin or .*, found none of them/,
    ),
  );
  rmSync(join(folder, 'config.json'));
  await assert.rejects(openCheckpoint(folder), isInvalid(/must hold config.json/));
});

test('shards are found by the index, and an index that does not fit is refused', async t => {
  const folder = await modelFolder(t);
  const [{name}] = tensors;
  const values = tensors[0].read();
  const stored = [{type: 'Float', bytes: new Uint8Array(values.buffer)}];
  const bin = zip(torchRecords(stateDict([{name, shape: [12, 4], storage: 0}], stored), stored));
  writeFileSync(join(folder, 'pytorch_model-00001-of-00001.bin'), bin);
  renameSync(join(folder, 'model.safetensors'), join(folder, 'model-00001-of-00001.safetensors'));
  for (const [file, ending] of [
    ['pytorch_model', '.bin'],
    ['model', '.safetensors'],
  ]) {
    const shard = `${file}-00001-of-00001${ending}`;
    const index = (map: unknown) =>
      writeFileSync(join(folder, `${file}${ending}.index.json`), JSON.stringify({weight_map: map}));
    index({[name]: shard});
    const opened = (await openCheckpoint(folder)).tensors;
    assert.deepEqual([...opened.keys()], [name]);
    assert.deepEqual(opened.get(name)?.read(), values);
    for (const [map, message] of [
      [undefined, /must hold an object weight_map/],
      [{[name]: `../${file}${ending}`}, new RegExp(`must name ${ending} files beside it, found "../${file}`)],
      [{[name]: 'model-00002.pkl'}, /files beside it, found "model-00002.pkl"/],
      [{[name]: `${file}-00002${ending}`}, new RegExp(`${file}-00002${ending}: there is no such file`)],
      [{absent: shard}, /must hold tensor absent/],
    ] as const) {
      index(map);
      await assert.rejects(openCheckpoint(folder), isInvalid(message));
    }
  }
});

test('of several layouts the first counts, in the order of transformers', async t => {
  const folder = await modelFolder(t);
  rmSync(join(folder, 'model.safetensors'));
  const stored = [{type: 'Float', bytes: new Uint8Array(4)}];
  const bin = (name: string) => zip(torchRecords(stateDict([{name, shape: [1], storage: 0}], stored), stored));
  const add = (name: string, content: string | Buffer) => writeFileSync(join(folder, name), content);
  const names = async () => [...(await openCheckpoint(folder)).tensors.keys()];
  add('a.bin', bin('sharded bin'));
  add('pytorch_model.bin.index.json', JSON.stringify({weight_map: {'sharded bin': 'a.bin'}}));
  assert.deepEqual(await names(), ['sharded bin']);
  add('pytorch_model.bin', bin('bin'));
  assert.deepEqual(await names(), ['bin']);
  await writeSafetensors(join(folder, 'a.safetensors'), [tensor('sharded', [1], new Float32Array(1))]);
  add('model.safetensors.index.json', JSON.stringify({weight_map: {sharded: 'a.safetensors'}}));
  assert.deepEqual(await names(), ['sharded']);
  await writeSafetensors(join(folder, 'model.safetensors'), [tensor('safe', [1], new Float32Array(1))]);
  assert.deepEqual(await names(), ['safe']);
});

test('a saved folder opens as it was, replaces the one before and leaves no temporary name', async t => {
  const source = await modelFolder(t);
  const parent = await temporaryFolder(t);
  const folder = join(parent, 'model');
  const saved = {config: {...config, id2label: {0: 'no', 1: 'yes'}}, tensors, tokenizerFolder: source};
  await saveModelFolder(folder, {...saved, tensors: [tensor('old', [1], new Float32Array(1))]});
  await saveModelFolder(folder, saved);
  const {config: read, tensors: opened} = await openCheckpoint(folder);
  assert.deepEqual(read.raw, {...config, id2label: {0: 'no', 1: 'yes'}});
  for (const {name, read: values} of tensors) assert.deepEqual(opened.get(name)?.read(), values());
  assert.deepEqual(readFileSync(join(folder, 'vocab.txt')), readFileSync(join(source, 'vocab.txt')));
  assert.deepEqual(readdirSync(folder).sort(), ['config.json', 'model.safetensors', 'vocab.txt']);
  assert.deepEqual(readdirSync(parent), ['model']);
});

test('a full disk is RESOURCE_EXHAUSTED, keeps the folder before and leaves nothing half-written', async t => {
  const source = await modelFolder(t);
  const parent = await temporaryFolder(t);
  const folder = join(parent, 'model');
  await saveModelFolder(folder, {config, tensors, tokenizerFolder: source});
  const before = readFileSync(join(folder, 'model.safetensors'));
  // The kernel's own ENOSPC, met in the middle of the file.
  const full = {...tensors[1], read: () => writeToFullDevice()};
  await assert.rejects(
    saveModelFolder(folder, {config, tensors: [tensors[0], full], tokenizerFolder: source}),
    ftftError('RESOURCE_EXHAUSTED', 'DISK_FULL', /model.*the disk is full/),
  );
  assert.deepEqual(readFileSync(join(folder, 'model.safetensors')), before);
  assert.deepEqual(readdirSync(parent), ['model']);
});

function writeToFullDevice(): never {
  const device = openSync('/dev/full', 'w');
  try {
    writeSync(device, 'x');
  } finally {
    closeSync(device);
  }
  throw new Error('the full device took a byte');
}

interface Expectation {
  keys_in_file?: string[];
  ignored?: string[];
  loaded_tensors?: Record<string, {shape: number[]; sha256_f32: string}>;
}

test('the folders of the parity kit hold the tensors that it expects, whatever their layout', {
  skip: needsShared,
}, async () => {
  for (const name of [
    'bert-noprefix',
    'bert-pretraining',
    'bert-sharded',
    'deberta-v3-pretraining',
    'electra-discriminator',
  ]) {
    const folder = sharedPath('golden', 'models', name);
    const {keys_in_file, loaded_tensors}: Expectation = JSON.parse(readFileSync(join(folder, 'expect.json'), 'utf8'));
    const opened = await openWeights(folder);
    if (keys_in_file) assert.deepEqual([...opened.keys()].sort(), keys_in_file, name);
    let numFound = 0;
    for (const [key, {shape, sha256_f32}] of Object.entries(loaded_tensors ?? {})) {
      // src/model/parameters.ts knows all names; these two rules find the kit's.
      const old = key.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta');
      const found = [key, old, key.slice('bert.'.length)].map(candidate => opened.get(candidate)).find(Boolean);
      if (!found) continue;
      numFound++;
      assert.deepEqual(found.shape, shape, `${name} ${key}`);
      const digest = createHash('sha256').update(new Uint8Array(found.read().buffer)).digest('hex');
      assert.equal(digest, sha256_f32, `${name} ${key}`);
    }
    assert.ok(numFound >= 37, `${name}: ${numFound}`);
  }
  const {config: sharded} = await openCheckpoint(sharedPath('golden', 'models', 'bert-sharded'));
  assert.deepEqual([sharded.hiddenAct, sharded.layerNormEps], ['relu', 1e-3]);
  assert.equal((await openCheckpoint(sharedPath('golden', 'models', 'bert-bin'))).config.modelType, 'bert');
});
