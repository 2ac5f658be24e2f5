import assert from 'node:assert/strict';
import {test} from 'node:test';
import {gzipSync} from 'node:zlib';
import {decompressed} from '../../src/data/decompress.js';
import {LineError} from '../../src/data/text-lines.js';
import {FtftError} from '../../src/errors.js';
import {ftftError} from './model-folder.js';
import {bytesOf, chunks, collected, damaged, golden} from './packed-files.js';

const unpack = (bytes: Uint8Array, {size = 1000, maxBytes = 1 << 24} = {}) =>
  collected(decompressed(chunks(bytes, size), {fileName: 'x', maxBytes}));

const {lines} = golden;
const zstd = Object.entries(golden.zstd_lines).map(([kind, base64]) => [kind, bytesOf(base64)] as const);

/** RFC 8878 by hand: one frame of blocks that are stored or repeat a byte. */
function frame(blocks: (Buffer | {byte: number; times: number})[], windowDescriptor = 0x40): Buffer {
  const parts: Uint8Array[] = [Buffer.from('28b52ffd00', 'hex'), Buffer.of(windowDescriptor)];
  for (const [i, block] of blocks.entries()) {
    const [type, size, content] = Buffer.isBuffer(block)
      ? [0, block.length, block]
      : [1, block.times, Buffer.of(block.byte)];
    const header = Buffer.alloc(4);
    header.writeUInt32LE((size << 3) | (type << 1) | Number(i === blocks.length - 1));
    parts.push(header.subarray(0, 3), content);
  }
  return Buffer.concat(parts);
}

test('gzip and zstd are known by their first bytes, and unpacked however the chunks are cut', async () => {
  const packed = [['gzip', gzipSync(lines)] as const, ...zstd];
  for (const [kind, bytes] of packed)
    for (const size of [1, 2, 3, 5, 17, 100, 100_000])
      assert.equal((await unpack(bytes, {size})).toString(), lines, `${kind} in chunks of ${size}`);
  for (const plain of [lines, '', '\x1f', '(\u00b5/'])
    assert.equal((await unpack(Buffer.from(plain))).toString(), plain);
});

test('members and frames one after the other are one file, and frames to be skipped are', async () => {
  const twice = Buffer.concat([gzipSync('one '), gzipSync('two')]);
  assert.equal((await unpack(twice, {size: 7})).toString(), 'one two');
  const skipped = Buffer.concat([Buffer.from('5a2a4d1803000000', 'hex'), Buffer.from('abc')]);
  const frames = Buffer.concat([
    frame([Buffer.from('one '), {byte: 0x2e, times: 5}]),
    skipped,
    frame([Buffer.from(' two')]),
  ]);
  for (const size of [1, 4, 1000]) assert.equal((await unpack(frames, {size})).toString(), 'one ..... two');
  const [, whole] = zstd[0];
  assert.equal((await unpack(Buffer.concat([whole, whole]))).toString(), lines + lines);
});

test('a file that unpacks to more than is allowed is refused before it is unpacked', async () => {
  const tooLarge = ftftError('RESOURCE_EXHAUSTED', 'MESSAGE_TOO_LARGE', /expected at most 1000000 bytes, found more/);
  const zeros = Buffer.alloc(1 << 26);
  const bombs = {
    gzip: gzipSync(zeros),
    zstd: Buffer.concat(Array.from({length: 10}, () => frame(Array(20_000).fill({byte: 0, times: 1 << 17})))),
    plain: Buffer.alloc(1_000_001),
  };
  for (const [kind, bytes] of Object.entries(bombs)) {
    const before = peakMemory();
    await assert.rejects(unpack(bytes, {maxBytes: 1_000_000, size: 1 << 20}), tooLarge);
    assert.ok(peakMemory() - before < 30e6, `${kind} took ${peakMemory() - before} bytes`);
  }
});

test('a zstd frame that asks for much memory, or for a dictionary, is refused', async () => {
  const refused = (bytes: Buffer, message: RegExp) =>
    assert.rejects(unpack(bytes), error => error instanceof LineError && message.test(error.message));
  await refused(
    frame([Buffer.from('a')], 0xf8),
    /needs a window of 2199023255552 bytes, at most 134217728 are allowed/,
  );
  await refused(Buffer.from('28b52ffde0ffffffffffffff7f', 'hex'), /needs a window of 9\d+ bytes/);
  await refused(Buffer.from('28b52ffd01400a', 'hex'), /needs a dictionary/);
  await refused(Buffer.from('28b52ffd0840', 'hex'), /a reserved bit is set/);
  await refused(Buffer.from('28b52ffd0040030010', 'hex'), /it ends before its end|a block has/);
  await refused(Buffer.concat([frame([Buffer.from('a')]), Buffer.from('tail')]), /does not begin as one/);
});

test('packed bytes that are cut off are an error at whatever byte', async () => {
  for (const [kind, whole] of [['gzip', gzipSync(lines)] as const, ...zstd])
    for (let length = kind === 'gzip' ? 2 : 4; length < whole.length; length += 1 + (length % 7))
      await assert.rejects(unpack(whole.subarray(0, length)), LineError, `${kind} cut at ${length}`);
});

test('damaged gzip and zstd are refused or, where they carry a checksum, give the very bytes that were packed', async () => {
  const packed = [['gzip', gzipSync(lines)] as const, ...zstd];
  for (const [kind, whole] of packed) {
    let numRefused = 0;
    for (let seed = 1; seed <= numDamages; seed++) {
      const bytes = damaged(whole, seed);
      const found = await unpack(bytes).catch(error => {
        if (error instanceof LineError || error instanceof FtftError) return undefined;
        throw new Error(`${kind}, seed ${seed}`, {cause: error});
      });
      if (found === undefined) numRefused++;
      // What no longer begins as a packed file is taken as it is.
      else if (kind !== 'no_checksum' && !bytes.equals(found))
        assert.ok(found.toString() === lines || isPrefixed(found), `${kind}, seed ${seed}`);
    }
    assert.ok(numRefused > (kind === 'no_checksum' ? 0.3 : 0.8) * numDamages, `${kind}: ${numRefused} refused`);
  }
});

const numDamages = 1000;
const peakMemory = (): number => process.resourceUsage().maxRSS * 1024;

/** Damage at the end of a gzip file is behind its content, where padding is allowed. */
const isPrefixed = (found: Buffer): boolean => found.length === lines.length;

test('an error of the source is that error, not one of the file', async () => {
  for (const whole of [gzipSync(lines), zstd[0][1], Buffer.from(lines)]) {
    async function* broken() {
      yield whole.subarray(0, 50);
      throw new Error('the connection is gone');
    }
    await assert.rejects(collected(decompressed(broken(), {fileName: 'x', maxBytes: 1e9})), /connection is gone/);
  }
});

test('a reader that stops early closes its source', async () => {
  for (const whole of [gzipSync(lines.repeat(5000)), frame(Array(100).fill(Buffer.alloc(1000))), Buffer.from(lines)]) {
    let isClosed = false;
    async function* source() {
      try {
        for (let at = 0; at < whole.length; at += 10) yield whole.subarray(at, at + 10);
        assert.fail('it was read to its end');
      } finally {
        isClosed = true;
      }
    }
    for await (const _ of decompressed(source(), {fileName: 'x', maxBytes: 1e9})) break;
    assert.ok(isClosed);
  }
});
