// Sizes that are known only when the graph runs: one program serves all shapes, with the numbers of the eager runtime.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {factors, knownShape, markers, ShapeNodes} from '../../../src/model/compile/dimensions.js';
import {constant} from '../../../src/model/compile/graph.js';
import {compile, type FunctionSpec, type InputSpec} from '../../../src/model/compile/program.js';
import {gatherRows} from '../../../src/model/layers.js';
import {execute, type Tensor, tf} from '../../../src/model/tensorflow.js';
import {normals, randomStream} from '../../../src/random.js';
import {close, maxAbs} from '../golden-models.js';

const {B, L} = markers(['B', 'L']);

test('a size is a fixed factor times named sizes, in any number', () => {
  assert.deepEqual(factors(B, {B, L}), {fixed: 1, names: ['B']});
  assert.deepEqual(factors(12 * L, {B, L}), {fixed: 12, names: ['L']});
  assert.deepEqual(factors(5 * B * L, {B, L}), {fixed: 5, names: ['B', 'L']});
  assert.deepEqual(factors(2 * L * L, {B, L}), {fixed: 2, names: ['L', 'L']});
  for (const plain of [0, 1, -1, 3, B + 1, 30522]) assert.equal(factors(plain, {B, L}), undefined);
});

test('TensorFlow is told the sizes that do not differ', () => {
  assert.deepEqual(knownShape([B, 3, 2 * B * L, 1], {B, L}), [-1, 3, -1, 1]);
});

test('a product of two markers fits an int32, and a fifth name is refused', () => {
  const all = Object.values(markers(['a', 'b', 'c', 'd']));
  for (const p of all) for (const q of all) assert.ok(p * q < 2 ** 31);
  assert.equal(new Set(all).size, 4);
  assert.throws(() => markers([...'abcdefg']), /Cannot mark 7 sizes, at most 6/);
});

test('a size that no input has as an axis is refused by name', () => {
  const sizes = new ShapeNodes({B});
  assert.throws(() => sizes.resolve(constant('int32', [B, 2], [2]), [B, 2]), /no input has the size B as an axis/);
});

const inputs: Record<string, InputSpec> = {
  x: {type: 'float32', shape: ['B', 'L', 3]},
  weight: {type: 'float32', shape: [3, 4]},
  bias: {type: 'float32', shape: [4]},
  dy: {type: 'float32', shape: ['B', 4]},
  ids: {type: 'int32', shape: ['T']},
};
const int = {type: 'int32'} as const;
const float = {type: 'float32'} as const;
const vector = (...values: number[]) => tf.tensor1d(values, 'int32');

/** Every input of every op that a size can go into, and what the tape makes of a layer. */
const body: FunctionSpec['body'] = ({x, weight, bias, dy, ids}, {B, L, T}) => {
  const rows = tf.reshape(x, [B * L, 3]);
  const hidden = (x: Tensor, weight: Tensor) => {
    const product = tf.add(tf.matMul(tf.reshape(x, [B * L, 3]), weight), bias);
    return tf.max(tf.reshape(tf.tanh(product), [B, L, 4]), 1);
  };
  const [dx, dWeight] = tf.grads(hidden)([x, weight], dy);
  const picked = gatherRows(rows, ids);
  const scalar = (value: number) => tf.scalar(value, 'int32');
  const sumsOfIds = {T: float, Tindices: int, Tnumsegments: int};
  const spread = {T: float, Tindices: int};
  return {
    dx,
    dWeight,
    squared: tf.matMul(x, x, false, true),
    flat: tf.reshape(tf.sum(x, -1), [B * L]),
    pairs: tf.reshape(tf.mul(x, 2), [B, 3 * L]),
    means: tf.mean(x, [0, 1]),
    filled: tf.fill([B, 2 * L], 7),
    broadcast: execute('BroadcastTo', {T: float, Tidx: int}, [tf.ones([3]), vector(L, B, 3)])[0],
    range: execute('Range', {Tidx: int}, [scalar(0), scalar(T), scalar(1)])[0],
    front: execute('Slice', {T: float, Index: int}, [x, vector(0, 0, 1), vector(B, L, 2)])[0],
    words: execute('StatelessRandomUniformFullInt', {dtype: int, T: int, Tseed: int}, [vector(B, T), vector(1, 2)])[0],
    segments: execute('UnsortedSegmentSum', sumsOfIds, [picked, ids, scalar(B * L)])[0],
    scattered: execute('ScatterNd', spread, [tf.expandDims(ids, 1), picked, vector(B * L, 3)])[0],
    stacked: tf.stack([x, x], 1),
    transposed: tf.transpose(x, [1, 0, 2]),
  };
};

test('a program with named sizes gives the numbers of the eager runtime for batches of every shape', () => {
  const program = compile({f: {inputs, body}});
  for (const [B, L, T] of [
    [2, 5, 4],
    [1, 1, 1],
    [7, 3, 9],
    [3, 3, 2],
    [2, 5, 1],
  ])
    tf.tidy(() => {
      const random = (shape: number[], counter: number) =>
        tf.tensor(normals(tf.util.sizeFromShape(shape), randomStream(4, 'data', counter)), shape);
      const ids = vector(...Array.from({length: T}, (_, i) => (i * 3) % (B * L)));
      const given = {
        x: random([B, L, 3], 0),
        weight: random([3, 4], 1),
        bias: random([4], 2),
        dy: random([B, 4], 3),
        ids,
      };
      const expected = body(given, {B, L, T});
      const results = program.run('f', given);
      assert.deepEqual(Object.keys(results), Object.keys(expected));
      for (const [name, result] of Object.entries(results)) {
        assert.deepEqual(result.shape, expected[name].shape, name);
        const values = expected[name].dataSync();
        close(result.dataSync(), values, 1e-5 * maxAbs(values), `${name} of ${B} x ${L}, ${T}`);
      }
    });
  program.dispose();
});

test('a size that a value turns out to have gets a name, and is computed from then on like any other', () => {
  const body: FunctionSpec['body'] = ({x}, {N}) => {
    const isLarge = tf.cast(tf.greater(x, 0.5), 'int32');
    const [, large] = execute('DynamicPartition', {num_partitions: {int: 2}, T: float}, [x, isLarge], 2);
    const [named] = execute('EnsureShape', {T: float, shape: {shape: [N]}}, [large]);
    const pairs = tf.reshape(tf.stack([named, named], 1), [2 * N]);
    return {
      pairs,
      range: execute(
        'Range',
        {Tidx: int},
        [0, N, 1].map(n => tf.scalar(n, 'int32')),
      )[0],
    };
  };
  const program = compile({f: {inputs: {x: {type: 'float32', shape: ['B']}}, sizes: ['N'], body}});
  for (const values of [[0.25, 0.75, 1, 0], [1], [0, 0]])
    tf.tidy(() => {
      const {pairs, range} = program.run('f', {x: tf.tensor1d(values)});
      const large = values.filter(value => value > 0.5);
      assert.deepEqual(
        [...pairs.dataSync()],
        large.flatMap(value => [value, value]),
      );
      assert.deepEqual([...range.dataSync()], [...large.keys()]);
    });
  program.dispose();
});
