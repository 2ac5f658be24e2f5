// Every gradient that is written out, against the one that tfjs derives from plain ops, to 1e-5 of its largest value.
import {test} from 'node:test';
import {attention, attentionProbabilities, type Layout} from '../../src/model/attention.js';
import {dropout, dropoutMask, range, roundedRate} from '../../src/model/dropout.js';
import {activations, addNorm, dense, embedding} from '../../src/model/layers.js';
import {type Tensor, tf} from '../../src/model/tensorflow.js';
import {normals, randomStream} from '../../src/random.js';
import {close, maxAbs} from './golden-models.js';

type Layer = (...inputs: Tensor[]) => Tensor;

const random = (shape: number[], counter: number) =>
  tf.tensor(normals(tf.util.sizeFromShape(shape), randomStream(2, 'data', counter)), shape);

function agrees(name: string, ours: Layer, plain: Layer, shapes: number[][]): void {
  test(`${name} has the value and the gradients of its plain form`, () => {
    tf.tidy(() => {
      const inputs = shapes.map(random);
      const value = plain(...inputs);
      const dy = random(value.shape, 99);
      close(ours(...inputs).dataSync(), value.dataSync(), 1e-5 * maxAbs(value.dataSync()), 'value');
      const expected = tf.grads(plain)(inputs, dy);
      const actual = tf.grads(ours)(inputs, dy.clone());
      for (const [i, gradient] of expected.entries()) {
        const values = gradient.dataSync();
        close(actual[i].dataSync(), values, 1e-5 * maxAbs(values), `gradient ${i}`);
      }
    });
  });
}

const plainNorm = (x: Tensor, scale: Tensor, offset: Tensor) => {
  const {mean, variance} = tf.moments(x, -1, true);
  return tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-3))), scale), offset);
};
const plainAttention = (q: Tensor, k: Tensor, bias: Tensor) =>
  tf.softmax(tf.add(tf.div(tf.matMul(q, k, false, true), Math.sqrt(q.shape[3]!)), bias));

agrees('dense', dense, (x, w, b) => tf.add(tf.matMul(x, w, false, true), b), [[5, 4], [3, 4], [3]]);
agrees(
  'addNorm',
  (x, r, s, o) => addNorm(x, r, s, o, 1e-3),
  (x, r, s, o) => plainNorm(tf.add(x, r), s, o),
  [[5, 8], [5, 8], [8], [8]],
);
agrees('gelu', activations.gelu, x => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.div(x, Math.SQRT2)), 1)), [[40, 3]]);
agrees('relu', activations.relu, x => tf.maximum(x, 0), [[40, 3]]);
agrees(
  'gelu_new',
  activations.gelu_new,
  x => {
    const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.mul(x, tf.mul(x, x)))));
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
  },
  [[40, 3]],
);

const ids = tf.tensor1d([3, 0, 3, 1], 'int32');
agrees(
  'embedding',
  table => embedding(table, ids),
  table => tf.matMul(tf.oneHot(ids, 5), table),
  [[5, 4]],
);

const bias = tf.tensor4d([0, 0, 0, -1e9, 0, -1e9, -1e9, -1e9], [2, 1, 1, 4]);
const grid = [2, 3, 4, 5];
agrees(
  'attentionProbabilities',
  (q, k) => attentionProbabilities(q, k, bias),
  (q, k) => plainAttention(q, k, bias),
  [grid, grid],
);

const seed = tf.tensor1d([11, 12], 'int32');
agrees(
  'dropout',
  x => dropout(x, 0.3, seed),
  x => tf.div(tf.mul(x, dropoutMask(range(7).expandDims(1), 9, 0.3, seed).toFloat()), 1 - roundedRate(0.3)),
  [[7, 9]],
);

// Rows of 3 and 1 tokens in a grid of 2 x 4.
const layout: Layout = {
  places: tf.tensor1d([0, 1, 2, 4], 'int32'),
  tokens: tf.tensor2d([0, 1, 2, 0, 3, 3, 3, 3], [2, 4], 'int32'),
  maskBias: bias,
  starts: tf.tensor1d([0, 3, 4], 'int32'),
};
agrees(
  'attention without the padding',
  qkv => attention(qkv, layout, 2, p => p.clone()),
  qkv => {
    const padded = tf.matMul(tf.oneHot(layout.tokens.flatten(), 4), qkv);
    const heads = tf.split(padded, 3, 1).map(x => tf.transpose(tf.reshape(x, [2, 4, 2, 3]), [0, 2, 1, 3]));
    const context = tf.matMul(plainAttention(heads[0], heads[1], bias), heads[2]);
    const rows = tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [8, 6]);
    return tf.matMul(tf.oneHot(layout.places as ReturnType<typeof tf.tensor1d>, 8), rows);
  },
  [[4, 18]],
);
