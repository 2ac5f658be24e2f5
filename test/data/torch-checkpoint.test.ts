import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {openTorchCheckpoint} from '../../src/data/torch-checkpoint.js';
import {needsShared, sharedPath} from '../support/shared.js';
import {ftftError, temporaryFolder} from './model-folder.js';
import {legacyFile, type Storage, type StoredTensor, stateDict, torchRecords, zip} from './torch-file.js';

const isInvalid = (message: RegExp) => ftftError('FAILED_PRECONDITION', 'MODEL_INVALID', message);
const bytesOf = (values: ArrayBufferView) => Buffer.from(values.buffer as ArrayBuffer);

const storages: Storage[] = [
  {type: 'Float', bytes: bytesOf(Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7))},
  {type: 'Half', bytes: bytesOf(Uint16Array.of(0x3c00, 0xc000))},
  {type: 'Long', bytes: bytesOf(BigInt64Array.of(7n, -8n))},
];
const tensors: StoredTensor[] = [
  {name: 'whole', shape: [2, 4], storage: 0},
  {name: 'transposed', shape: [4, 2], strides: [1, 4], storage: 0},
  {name: 'part', shape: [2, 2], strides: [4, 1], offset: 2, storage: 0},
  {name: 'cube', shape: [2, 2, 2], strides: [2, 1, 4], storage: 0},
  {name: 'column', shape: [4, 1], strides: [2, 999], storage: 0},
  {name: 'scalar', shape: [], offset: 5, storage: 0},
  {name: 'none', shape: [0, 4], storage: 0},
  {name: 'half', shape: [2], storage: 1},
  {name: 'ids', shape: [1, 2], storage: 2},
];
const expected: Record<string, number[]> = {
  whole: [0, 1, 2, 3, 4, 5, 6, 7],
  transposed: [0, 4, 1, 5, 2, 6, 3, 7],
  part: [2, 3, 6, 7],
  cube: [0, 4, 1, 5, 2, 6, 3, 7],
  column: [0, 2, 4, 6],
  scalar: [5],
  none: [],
  half: [1, -2],
  ids: [7, -8],
};

async function fileWriter(t: TestContext): Promise<(bytes: Uint8Array) => string> {
  const path = join(await temporaryFolder(t), 'pytorch_model.bin');
  return bytes => {
    writeFileSync(path, bytes);
    return path;
  };
}

/** An archive of these tensors in the storages above. */
const archive = (list: StoredTensor[], stored = storages) => zip(torchRecords(stateDict(list, stored), stored));

test('a zip archive and the format before torch 1.6 give the same tensors, whatever part of a storage they show', async t => {
  const write = await fileWriter(t);
  const pickle = stateDict(tensors, storages);
  const files = {
    zip: zip(torchRecords(pickle, storages)),
    wide: zip(torchRecords(pickle, storages), {isWide: true, comment: 'PK\x05\x06'}),
    legacy: legacyFile(pickle, storages),
  };
  for (const [kind, bytes] of Object.entries(files)) {
    const opened = openTorchCheckpoint(write(bytes));
    assert.deepEqual([...opened.keys()], Object.keys(expected), kind);
    for (const {name, shape} of tensors) {
      assert.deepEqual(opened.get(name)?.shape, shape);
      assert.deepEqual(opened.get(name)?.read(), Float32Array.from(expected[name]), `${kind} ${name}`);
    }
  }
});

test('a tensor that does not lie in its storage is refused with its shape and strides', async t => {
  const write = await fileWriter(t);
  const cases: [Partial<StoredTensor>, RegExp][] = [
    [
      {shape: [3, 3]},
      /tensor "a" must lie in its storage of 8 values, found offset 0, shape \[3,3\] and strides \[3,1\]/,
    ],
    [{shape: [8], offset: 1}, /found offset 1/],
    [{shape: [2], strides: [8]}, /strides \[8\]/],
    [{shape: [2, 2], strides: [2 ** 52, 2 ** 52]}, /strides \[4503599627370496,/],
    [{shape: [2 ** 40, 2 ** 40], strides: [0, 0]}, /must have no more values than its storage of 8/],
    [{shape: [9], strides: [0]}, /no more values than its storage of 8, its shape is \[9\]/],
    [{shape: [2], strides: [1, 1]}, /_rebuild_tensor_v2 must have the arguments that torch.save gives it/],
    [{shape: new Array(17).fill(1)}, /must have the arguments that torch.save gives it/],
  ];
  for (const [changes, message] of cases) {
    const path = write(archive([{name: 'a', shape: [8], storage: 0, ...changes}]));
    assert.throws(() => openTorchCheckpoint(path), isInvalid(message));
  }
});

test('a storage that is missing, or of another size than its tensor says, is refused', async t => {
  const write = await fileWriter(t);
  const list: StoredTensor[] = [{name: 'a', shape: [8], storage: 0}];
  const lying = [{...storages[0], count: 9}];
  const [pickle, ...others] = torchRecords(stateDict(list, storages), storages);
  const elsewhere = others.map(([name, bytes]): [string, Uint8Array] => [name.replace('/data/0', '/data/7'), bytes]);
  for (const bytes of [archive(list, lying), legacyFile(stateDict(list, lying), storages.slice(0, 1))])
    assert.throws(() => openTorchCheckpoint(write(bytes)), isInvalid(/tensor "a" must have a storage of 9 values/));
  assert.throws(
    () => openTorchCheckpoint(write(zip([pickle, ...elsewhere]))),
    isInvalid(/must have a storage of 8 values/),
  );
  const legacy = stateDict(list, storages);
  for (const keys of [['1'], ['0', '0'], []])
    assert.throws(
      () => openTorchCheckpoint(write(legacyFile(legacy, storages.slice(0, keys.length), keys))),
      isInvalid(/must list each storage of its tensors once|must have a storage of 8 values, which is not there/),
    );
  const mixed = legacyFile(
    stateDict([...list, {name: 'b', shape: [1], storage: 1}], [storages[0], {...storages[1], type: 'Int'}]),
    [storages[0], storages[1]],
  );
  assert.throws(() => openTorchCheckpoint(write(mixed)), isInvalid(/cut off or damaged|must have a storage/));
});

test('an archive that is compressed, overlapping, out of bounds or twice the same is refused', async t => {
  const write = await fileWriter(t);
  const records = torchRecords(stateDict(tensors, storages), storages);
  const [pickle, order, first, second] = records;
  const cases: [Buffer, RegExp][] = [
    [
      zip(records, {method: 8}),
      /must store its records as torch.save does, archive\/data.pkl is compressed \(method 8\)/,
    ],
    [
      zip(records, {shift: {[second[0]]: first[0].length + first[1].length - 100}}),
      /must have record .* where its directory/,
    ],
    [zip(records, {shift: {[order[0]]: 2 ** 31}}), /it must have \d+ bytes, it has \d+: it is cut off or damaged/],
    [zip(records, {isWide: true, shift: {[order[0]]: 2 ** 52}}), /it must have \d+ bytes, it has/],
    [zip([...records, second]), /must hold record archive\/data\/1 once/],
    [zip([...records, ['other/data.pkl', pickle[1]]]), /must hold one data.pkl in a folder, found 2/],
    [zip(records.slice(1)), /must hold one data.pkl in a folder, found 0/],
    [zip([pickle, ['archive/byteorder', Buffer.from('big')], ...records.slice(2)]), /must be little-endian/],
  ];
  for (const [bytes, message] of cases) assert.throws(() => openTorchCheckpoint(write(bytes)), isInvalid(message));
  const wide = zip(records, {isWide: true});
  wide.fill(0xff, wide.lastIndexOf('PK\x06\x07') + 8, wide.lastIndexOf('PK\x06\x07') + 16);
  assert.throws(() => openTorchCheckpoint(write(wide)), isInvalid(/sizes and offsets within the file/));
});

test('two records may not share bytes', async t => {
  const write = await fileWriter(t);
  const records = torchRecords(stateDict(tensors, storages), storages);
  const bytes = zip(records);
  // The second storage's entry now points at the first one's header.
  const [first, second] = [0, 1].map(i => bytes.indexOf(`archive/data/${i}`, bytes.indexOf('PK\x01\x02')) - 4);
  bytes.copy(bytes, second, first, first + 4);
  assert.throws(
    () => openTorchCheckpoint(write(bytes)),
    isInvalid(/must keep archive\/data\/\d and archive\/data\/\d apart/),
  );
});

test('a file that is cut at any byte is refused', async t => {
  const write = await fileWriter(t);
  const list = tensors.slice(0, 1);
  const stored = storages.slice(0, 1);
  for (const whole of [archive(list, stored), legacyFile(stateDict(list, stored), stored)])
    for (let length = 0; length < whole.length; length += 7)
      assert.throws(
        () => openTorchCheckpoint(write(whole.subarray(0, length))),
        isInvalid(/pytorch_model.bin/),
        `${length}`,
      );
});

test('a text, a pointer of Git LFS and another pickle are told from a checkpoint', async t => {
  const write = await fileWriter(t);
  const other = legacyFile(stateDict(tensors, storages), storages);
  other[4] ^= 1;
  const bigEndian = legacyFile(stateDict(tensors, storages), storages);
  bigEndian[bigEndian.indexOf('little_endian') + 'little_endian'.length] = 0x89;
  for (const [bytes, message] of [
    [Buffer.from('<!doctype html>'), /must be a file of torch.save, it begins with "<!do"/],
    [Buffer.from(''), /it begins with ""/],
    [Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\n'), /found a pointer of Git LFS: fetch/],
    [other, /must begin with the magic number and version of torch.save/],
    [bigEndian, /must be little-endian/],
  ] as const)
    assert.throws(() => openTorchCheckpoint(write(bytes)), isInvalid(message));
});

test('widening halves takes less than 1.3 times the memory of their values', async t => {
  const half = {type: 'Half', bytes: new Uint8Array(32 << 20)};
  const names = ['a', 'b', 'c'];
  const list = names.map((name, storage) => ({name, shape: [16 << 20], storage}));
  const stored = names.map(() => half);
  const path = (await fileWriter(t))(archive(list, stored));
  const script = fileURLToPath(new URL('peak-memory.ts', import.meta.url));
  const output = execFileSync(process.execPath, ['--import', 'tsx', script, dirname(path)], {encoding: 'utf8'});
  const share = Number(output);
  assert.ok(share > 0.9 && share < 1.3, output);
});

test('files of the parity kit have its tensors: both formats, halves, strides, offsets', {skip: needsShared}, () => {
  const folder = sharedPath('golden', 'models', 'bert-bin');
  type Table = Record<string, {shape: number[]; sha256_f32: string}>;
  const {files} = JSON.parse(readFileSync(join(folder, 'expect.json'), 'utf8'));
  assert.equal(Object.keys(files).length, 5);
  for (const [name, {tensors_in_file: table}] of Object.entries<{tensors_in_file: Table}>(files)) {
    const opened = openTorchCheckpoint(join(folder, name));
    const found = [...opened.values()].map(({name, shape, read}) => [name, {shape, sha256_f32: sha256(read())}]);
    const expected = Object.entries(table).map(([name, {shape, sha256_f32}]) => [name, {shape, sha256_f32}]);
    assert.deepEqual(Object.fromEntries(found), Object.fromEntries(expected), name);
  }
});

function sha256(values: Float32Array): string {
  return createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex');
}
