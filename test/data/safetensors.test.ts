import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {readdirSync, readFileSync, statSync, truncateSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {openSafetensors, readSafetensorsMetadata, writeSafetensors} from '../../src/data/safetensors.js';
import {needsShared, sharedPath} from '../support/shared.js';
import {ftftError, temporaryFolder, tensor, tensors} from './model-folder.js';

const isInvalid = (message: RegExp) => ftftError('FAILED_PRECONDITION', 'MODEL_INVALID', message);

/** A file with this header and so many bytes of values. */
function file(folder: string, header: unknown, dataBytes: number): string {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const path = join(folder, 'x.safetensors');
  writeFileSync(path, Buffer.concat([length, json, Buffer.alloc(dataBytes)]));
  return path;
}

test('what is written is read back, bits, order, shapes and metadata', async t => {
  const path = join(await temporaryFolder(t), 'x.safetensors');
  await writeSafetensors(
    path,
    [...tensors, tensor('scalar', [], new Float32Array([3])), tensor('none', [0, 4], new Float32Array(0))],
    {
      format: 'pt',
    },
  );
  const read = openSafetensors(path);
  assert.deepEqual([...read.keys()].sort(), [
    'embeddings.word_embeddings.weight',
    'none',
    'pooler.dense.bias',
    'scalar',
  ]);
  for (const {name, shape, read: values} of tensors) {
    assert.deepEqual(read.get(name)?.shape, shape);
    assert.deepEqual(Buffer.from(read.get(name)!.read().buffer), Buffer.from(values().buffer));
  }
  assert.deepEqual(read.get('scalar')?.read(), new Float32Array([3]));
  assert.deepEqual(readSafetensorsMetadata(path), {format: 'pt'});
  assert.equal(Number(readFileSync(path).readBigUInt64LE()) % 8, 0, 'values are aligned at 8 bytes');
});

test('a writer that fails leaves the old file and nothing else', async t => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'x.safetensors');
  await writeSafetensors(path, tensors);
  const before = readFileSync(path);
  const broken = {...tensor('b', [1], new Float32Array(1)), read: () => assert.fail('no values')};
  await assert.rejects(writeSafetensors(path, [tensors[0], broken]), /no values/);
  assert.deepEqual(readFileSync(path), before);
  assert.deepEqual(readdirSync(folder), ['x.safetensors']);
});

test('float16, bfloat16, float64 and integers become the float32 that equals them', async t => {
  const folder = await temporaryFolder(t);
  // 1, -2, largest, smallest subnormal, another subnormal, -0, infinity
  const halves = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x0155, 0x8000, 0x7c00);
  const header = {
    f16: {dtype: 'F16', shape: [7], data_offsets: [0, 14]},
    bf16: {dtype: 'BF16', shape: [2], data_offsets: [14, 18]},
    f64: {dtype: 'F64', shape: [1], data_offsets: [18, 26]},
    ids: {dtype: 'I64', shape: [1], data_offsets: [26, 34]},
    u16: {dtype: 'U16', shape: [1], data_offsets: [34, 36]},
  };
  const path = file(folder, header, 36);
  const bytes = readFileSync(path);
  bytes.set(new Uint8Array(halves.buffer), bytes.length - 36);
  bytes.set(new Uint8Array(Uint16Array.of(0x3f81, 0xff80).buffer), bytes.length - 22);
  bytes.set(new Uint8Array(Float64Array.of(0.1).buffer), bytes.length - 18);
  bytes.writeBigInt64LE(-3n, bytes.length - 10);
  writeFileSync(path, bytes);
  const read = openSafetensors(path);
  const expected = Float32Array.of(1, -2, 65504, 2 ** -24, 341 * 2 ** -24, -0, Infinity);
  assert.deepEqual(read.get('f16')?.read(), expected);
  assert.deepEqual(read.get('bf16')?.read(), Float32Array.of(1.0078125, -Infinity));
  assert.deepEqual(read.get('f64')?.read(), Float32Array.of(0.1));
  assert.deepEqual(read.get('ids')?.read(), Float32Array.of(-3));
  assert.throws(
    () => read.get('u16')?.read(),
    isInvalid(/"u16" must be F32, F64, F16, .* to be used as a weight, found U16/),
  );
});

test('a header that is wrong is refused with what was expected and found', async t => {
  const folder = await temporaryFolder(t);
  const entry = (changes: object) => ({a: {dtype: 'F32', shape: [2], data_offsets: [0, 8], ...changes}});
  const cases: [unknown, number, RegExp][] = [
    ['not json', 0, /must be JSON/],
    ['[]', 0, /must be a JSON object/],
    [{a: 5}, 0, /"a" must have a dtype/],
    [entry({dtype: 'F33'}), 8, /"a" must have a dtype of .*found "F33"/],
    [entry({shape: [-2]}), 8, /"a" must have a shape/],
    [entry({shape: [1.5]}), 8, /"a" must have a shape/],
    [entry({shape: [2 ** 40, 2 ** 40]}), 8, /\[1099511627776,1099511627776\].* must have .* bytes, found 8/],
    [entry({shape: [3]}), 8, /must have 12 bytes, found 8/],
    [entry({data_offsets: [8, 0]}), 8, /must have data_offsets/],
    [entry({data_offsets: [4, 12]}), 12, /must begin at byte 0, found 4: a hole or an overlap/],
    [{...entry({}), b: {dtype: 'U8', shape: [8], data_offsets: [4, 12]}}, 12, /"b" must begin at byte 8, found 4/],
    [entry({}), 7, /must hold 8 bytes of values, found 7: it is cut off/],
    [entry({}), 9, /must hold 8 bytes of values, found 9/],
    [{__metadata__: {a: 1}}, 0, /__metadata__ must map texts to texts/],
  ];
  for (const [header, dataBytes, message] of cases)
    assert.throws(() => openSafetensors(file(folder, header, dataBytes)), isInvalid(message), JSON.stringify(header));
});

test('a header length beyond the file or the limit is refused before anything is allocated', async t => {
  const path = join(await temporaryFolder(t), 'x.safetensors');
  for (const [length, message] of [
    [2n ** 63n, /at most 100000000 bytes, found 9223372036854776000/],
    [1000n, /must end inside the file of 10 bytes, found a length of 1000/],
  ] as const) {
    const bytes = Buffer.alloc(10);
    bytes.writeBigUInt64LE(length);
    writeFileSync(path, bytes);
    assert.throws(() => openSafetensors(path), isInvalid(message));
  }
  writeFileSync(path, 'short');
  assert.throws(() => openSafetensors(path), isInvalid(/begin with 8 bytes of header length, the file has 5/));
});

test('a missing file, a folder and a named pipe are refused by name', async t => {
  const folder = await temporaryFolder(t);
  assert.throws(() => openSafetensors(join(folder, 'none')), isInvalid(/none: there is no such file/));
  assert.throws(() => openSafetensors(folder), isInvalid(/must be a regular file/));
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  assert.throws(() => openSafetensors(join(folder, 'pipe')), isInvalid(/must be a regular file/));
});

test('a file that is cut or replaced after it was opened is not read as weights', async t => {
  const path = join(await temporaryFolder(t), 'x.safetensors');
  await writeSafetensors(path, tensors);
  const first = openSafetensors(path);
  truncateSync(path, statSync(path).size - 4);
  assert.throws(() => first.get('pooler.dense.bias')?.read(), isInvalid(/replaced or changed/));
  await writeSafetensors(path, tensors);
  assert.throws(() => first.get('pooler.dense.bias')?.read(), isInvalid(/replaced or changed/));
});

test('tensors of the parity kit have its digests, in float16 and bfloat16 too', {skip: needsShared}, () => {
  const folder = sharedPath('golden', 'models', 'bert-half');
  const {files} = JSON.parse(readFileSync(join(folder, 'expect.json'), 'utf8'));
  for (const [name, {tensors_in_file}] of Object.entries<{tensors_in_file: object}>(files)) {
    const read = openSafetensors(join(folder, name));
    assert.equal(read.size, Object.keys(tensors_in_file).length);
    for (const [tensorName, {sha256_f32}] of Object.entries(tensors_in_file)) {
      const digest = createHash('sha256')
        .update(new Uint8Array(read.get(tensorName)!.read().buffer))
        .digest('hex');
      assert.equal(digest, sha256_f32, `${name} ${tensorName}`);
    }
  }
});
