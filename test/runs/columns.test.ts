import assert from 'node:assert/strict';
import {test} from 'node:test';
import {decodeColumns, encodeColumns, packBits, unpackBits} from '../../src/runs/columns.js';

test('columns come back with their header, types and bits', () => {
  const columns = {
    a: new Float32Array([1.5, -0, Number.NaN, Number.POSITIVE_INFINITY]),
    b: new Uint8Array([1, 2, 3]),
    c: new Int32Array([-1]),
    d: new Uint32Array([2 ** 32 - 1]),
    e: new Float32Array(0),
  };
  const {header, columns: read} = decodeColumns(encodeColumns({kind: 'x', text: 'σ丽'}, columns));
  assert.deepEqual(header, {kind: 'x', text: 'σ丽'});
  assert.deepEqual(read, columns);
});

test('columns that are cut off, too long or of another version are refused', () => {
  const bytes = encodeColumns({}, {a: new Float32Array(3)});
  for (const wrong of [
    bytes.subarray(0, -1),
    bytes.subarray(0, 3),
    Buffer.concat([bytes, Buffer.alloc(1)]),
    Buffer.from([2, ...bytes.subarray(1)]),
  ])
    assert.throws(() => decodeColumns(wrong), RangeError);
});

test('bits are packed least significant first, the last byte filled up with zeros', () => {
  const flags = Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
  assert.deepEqual(packBits(flags), Uint8Array.from([0b10000001, 0b10]));
  assert.deepEqual(unpackBits(packBits(flags), 10), flags);
});
