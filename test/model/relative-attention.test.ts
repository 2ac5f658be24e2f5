// The fused op of DeBERTa's attention against plain tfjs ops, text by text and head by head: value and every gradient, to 1e-5 of the largest.
import {test} from 'node:test';
import {execute, hasFusedKernels, type Tensor, tf} from '../../src/model/tensorflow.js';
import {normals, randomStream} from '../../src/random.js';
import {close, maxAbs} from './golden-models.js';

const skip = !hasFusedKernels && 'no fused kernels: they are built for the CPU alone';
const random = (shape: number[], counter: number) =>
  tf.tensor(normals(tf.util.sizeFromShape(shape), randomStream(5, 'data', counter)), shape);

interface Case {
  heads: number;
  size: number;
  lengths: number[];
  hasKeys: boolean;
  hasQueries: boolean;
}

const maxDistance = 79;
const numSlots = 40;
/** One slot a distance near by, then ever more distances a slot, at last the same for all. */
const slotOf = (distance: number): number => {
  const far = Math.abs(distance);
  const bucket = far <= 8 ? far : Math.min(19, Math.round(8 + 3 * Math.log2(far / 8)));
  return Math.sign(distance) * bucket + 20;
};
const slots = tf.tensor1d(
  Array.from({length: 2 * maxDistance + 1}, (_, i) => slotOf(i - maxDistance)),
  'int32',
);

function plain({heads, size, lengths, hasKeys, hasQueries}: Case, qkv: Tensor, keys: Tensor, queries: Tensor): Tensor {
  const D = heads * size;
  const scale = 1 / Math.sqrt(size * (1 + Number(hasKeys) + Number(hasQueries)));
  let begin = 0;
  const contexts = lengths.map(length => {
    const columns = Array.from({length: heads}, (_, head) => {
      const part = (x: Tensor, kind: number, from = 0, count = numSlots) =>
        tf.slice(x, [from, kind * D + head * size], [count, size]);
      const [q, k, v] = [0, 1, 2].map(kind => part(qkv, kind, begin, length));
      const distances = Array.from({length: length * length}, (_, i) => slotOf(Math.floor(i / length) - (i % length)));
      const oneHot = tf.oneHot(tf.tensor1d(distances, 'int32'), numSlots).toFloat().reshape([length, length, numSlots]);
      let scores = tf.matMul(q, k, false, true);
      const along = (x: Tensor, axis: number) => tf.sum(tf.mul(oneHot, tf.expandDims(x, axis)), -1);
      if (hasKeys) scores = tf.add(scores, along(tf.matMul(q, part(keys, 0), false, true), 1));
      if (hasQueries) scores = tf.add(scores, along(tf.matMul(k, part(queries, 0), false, true), 0));
      return tf.matMul(tf.softmax(tf.mul(scores, scale)), v);
    });
    begin += length;
    return tf.concat(columns, 1);
  });
  return tf.concat(contexts, 0);
}

for (const shape of [
  {heads: 2, size: 3, lengths: [3, 1, 5], hasKeys: true, hasQueries: true},
  {heads: 3, size: 16, lengths: [66, 2, 80, 17, 1], hasKeys: true, hasQueries: true},
  {heads: 1, size: 32, lengths: [9, 4], hasKeys: true, hasQueries: false},
  {heads: 1, size: 5, lengths: [9, 4], hasKeys: false, hasQueries: true},
])
  test(`relative attention: ${JSON.stringify(shape)}`, {skip}, () => {
    tf.tidy(() => {
      const {heads, size, lengths, hasKeys, hasQueries} = shape;
      const total = lengths.reduce((sum, n) => sum + n);
      const inputs = [
        random([total, 3 * heads * size], 0),
        random([numSlots, heads * size], 1),
        random([numSlots, heads * size], 2),
      ];
      // A table that is not used has a gradient of zero.
      const reference = (...given: Tensor[]) =>
        tf.add(plain(shape, given[0], given[1], given[2]), tf.mul(tf.add(tf.sum(given[1]), tf.sum(given[2])), 0));
      const dy = random([total, heads * size], 3);
      const expected = [reference(...inputs), ...tf.grads(reference)(inputs, dy)];

      const starts = tf.tensor1d(
        [0, ...lengths.map((_, i) => lengths.slice(0, i + 1).reduce((sum, n) => sum + n))],
        'int32',
      );
      const seed = tf.tensor1d([1, 2], 'int32');
      const attributes = {T: {type: 'float32'}, rate: {float: 0}, num_heads: {int: heads}} as const;
      const none = tf.zeros([0, heads * size]);
      const tables = [hasKeys ? inputs[1] : none, hasQueries ? inputs[2] : none];
      const [context, logSums] = execute(
        'FtftRelativeAttention',
        attributes,
        [inputs[0], starts, seed, ...tables, slots],
        2,
      );
      const given = [dy, context, inputs[0], logSums, starts, seed, ...tables, slots];
      const actual = [context, ...execute('FtftRelativeAttentionGrad', attributes, given, 3)];
      for (const [i, tensor] of actual.entries()) {
        if (tensor.size === 0) continue;
        const values = expected[i].dataSync();
        close(tensor.dataSync(), values, 1e-5 * maxAbs(values), ['context', 'd qkv', 'd keys', 'd queries'][i]);
      }
    });
  });
