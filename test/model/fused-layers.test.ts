// The two layer sets give the same values and gradients, dropout included: to 1e-5 of the largest, at sizes that fill no vector and at some that do.
import {test} from 'node:test';
import {composedLayers} from '../../src/model/composed-layers.js';
import {fusedLayers} from '../../src/model/fused-layers.js';
import type {LayerSet} from '../../src/model/layer-set.js';
import {hasFusedKernels, type Tensor, tf} from '../../src/model/tensorflow.js';
import {normals, randomStream} from '../../src/random.js';
import {close, maxAbs} from './golden-models.js';
import {textLayout} from './text-layout.js';

const skip = !hasFusedKernels && 'no fused kernels: they are built for the CPU alone';
const seeds = tf.tensor2d([5, 6, -7, 2 ** 31 - 1], [2, 2], 'int32');
const random = (shape: number[], counter: number) =>
  tf.tensor(normals(tf.util.sizeFromShape(shape), randomStream(3, 'data', counter)), shape);

type Layer = (layers: LayerSet, ...inputs: Tensor[]) => Tensor;

function agree(name: string, layer: Layer, shapes: number[][]): void {
  test(`${name} ${shapes[0]}`, {skip}, () => {
    tf.tidy(() => {
      const inputs = shapes.map(random);
      const outcome = (layers: LayerSet) => {
        const run = (...inputs: Tensor[]) => layer(layers, ...inputs);
        const value = run(...inputs);
        return [value, ...tf.grads(run)(inputs, random(value.shape, 99))].map(tensor => tensor.dataSync());
      };
      const expected = outcome(composedLayers(seeds));
      for (const [i, values] of outcome(fusedLayers(seeds)).entries())
        close(values, expected[i], 1e-5 * maxAbs(expected[i]), i === 0 ? 'value' : `gradient ${i - 1}`);
    });
  });
}

for (const rate of [0, 0.1, 0.5]) {
  const dropout = {rate, site: 1};
  for (const [rows, width] of [
    [5, 7],
    [200, 48],
    [3, 312],
  ]) {
    agree(`dropout ${rate}`, (layers, x) => layers.dropout(x, dropout), [[rows, width]]);
    agree(
      `addNorm with dropout ${rate}`,
      (layers, x, residual, scale, offset) => layers.addNorm(x, residual, {scale, offset, epsilon: 1e-3}, dropout),
      [[rows, width], [rows, width], [width], [width]],
    );
  }
  for (const [numHeads, size, lengths] of [
    [2, 3, [3, 1, 4]],
    [3, 32, [17, 64, 1, 65]],
    [1, 26, [130, 40]],
    [2, 64, [33]],
  ] as [number, number, number[]][]) {
    const layout = textLayout(lengths);
    agree(
      `attention over ${lengths} tokens, ${numHeads} heads of ${size}, dropout ${rate}:`,
      (layers, qkv) => layers.attention(qkv, layout, numHeads, dropout),
      [[lengths.reduce((sum, n) => sum + n), 3 * numHeads * size]],
    );
  }
}

for (const shape of [[1], [4, 5], [40, 48]])
  agree('gelu', (layers, x) => layers.activation('gelu', tf.mul(x, 3)), [shape]);
