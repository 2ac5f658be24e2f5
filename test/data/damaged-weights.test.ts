// Weights of every layout, damaged at random 10,000 times each (an index 1,000 times): they load as whole tensors or are refused in words, and cost no more than
// a file of their size could.
import assert from 'node:assert/strict';
import {closeSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {openSafetensors, writeSafetensors} from '../../src/data/safetensors.js';
import {openTorchCheckpoint} from '../../src/data/torch-checkpoint.js';
import type {NamedTensor} from '../../src/data/types.js';
import {openWeights} from '../../src/data/weights.js';
import {FtftError} from '../../src/errors.js';
import {randomStream} from '../../src/random.js';
import {damage, quickFolder} from './damage.js';
import {tensors} from './model-folder.js';
import {legacyFile, stateDict, torchRecords, zip} from './torch-file.js';

const numFiles = 10_000;
const storages = [
  {type: 'Float', bytes: Buffer.alloc(48, 1)},
  {type: 'Half', bytes: Buffer.alloc(12, 2)},
];
const pickle = stateDict(
  [
    {name: 'a', shape: [3, 4], storage: 0},
    {name: 'b', shape: [4, 3], strides: [1, 4], storage: 0},
    {name: 'c', shape: [5], offset: 1, storage: 1},
  ],
  storages,
);

function isClear(error: unknown): boolean {
  return error instanceof FtftError && error.details.reason === 'MODEL_INVALID' && error.message.length < 1000;
}

/** Opens each damaged file and reads all tensors; how many were refused. */
async function openDamaged(
  file: string,
  whole: Buffer,
  open: () => Map<string, NamedTensor> | Promise<Map<string, NamedTensor>>,
  count = numFiles,
) {
  const random = randomStream(11, 'data');
  const descriptor = openSync(file, 'w');
  const memory = process.resourceUsage().maxRSS;
  let numRefused = 0;
  for (let i = 0; i < count; i++) {
    const bytes = damage(whole, n => Math.floor(random() * n));
    ftruncateSync(descriptor, 0);
    writeSync(descriptor, bytes, 0, bytes.length, 0);
    try {
      for (const {shape, read} of (await open()).values())
        assert.equal(
          read().length,
          shape.reduce((a, b) => a * b, 1),
        );
    } catch (error) {
      if (!isClear(error)) throw new Error(`file ${i}: ${bytes.toString('base64')}`, {cause: error});
      numRefused++;
    }
  }
  closeSync(descriptor);
  assert.ok(process.resourceUsage().maxRSS - memory < 256 << 10, 'in KiB');
  return numRefused;
}

async function damagesWell(
  t: TestContext,
  name: string,
  whole: Buffer,
  open: (file: string) => Map<string, NamedTensor>,
) {
  const file = join(await quickFolder(t), name);
  const numRefused = await openDamaged(file, whole, () => open(file));
  assert.ok(numRefused > numFiles / 3 && numRefused < numFiles, `${numRefused} of ${numFiles}`);
}

test('damaged safetensors', async t => {
  const file = join(await quickFolder(t), 'whole');
  await writeSafetensors(file, tensors, {format: 'pt'});
  await damagesWell(t, 'model.safetensors', readFileSync(file), openSafetensors);
});

test('damaged archives of torch.save', async t => {
  await damagesWell(t, 'pytorch_model.bin', zip(torchRecords(pickle, storages)), openTorchCheckpoint);
});

test('damaged files from before torch 1.6', async t => {
  await damagesWell(t, 'pytorch_model.bin', legacyFile(pickle, storages), openTorchCheckpoint);
});

test('damaged pickles in archives that are whole', async t => {
  const file = join(await quickFolder(t), 'pytorch_model.bin');
  const random = randomStream(12, 'data');
  let numRefused = 0;
  for (let i = 0; i < numFiles; i++) {
    writeFileSync(
      file,
      zip(
        torchRecords(
          damage(pickle, n => Math.floor(random() * n)),
          storages,
        ),
      ),
    );
    try {
      openTorchCheckpoint(file);
    } catch (error) {
      if (!isClear(error)) throw error;
      numRefused++;
    }
  }
  assert.ok(numRefused > numFiles / 2, `${numRefused} of ${numFiles}`);
});

test('damaged indices', async t => {
  const folder = await quickFolder(t);
  writeFileSync(join(folder, 'a.bin'), zip(torchRecords(pickle, storages)));
  const index = Buffer.from(
    JSON.stringify({metadata: {total_size: 60}, weight_map: {a: 'a.bin', b: 'a.bin', c: 'a.bin'}}),
  );
  const file = join(folder, 'pytorch_model.bin.index.json');
  const numRefused = await openDamaged(file, index, () => openWeights(folder), 1000);
  assert.ok(numRefused > 300 && numRefused < 1000, `${numRefused}`);
});
