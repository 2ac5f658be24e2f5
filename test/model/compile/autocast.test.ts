// Mixed precision: products in bfloat16, sums over many numbers in float32, whole numbers as they were.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {autocast} from '../../../src/model/compile/autocast.js';
import {typeAttribute, type Value} from '../../../src/model/compile/graph.js';
import {compile, type FunctionSpec} from '../../../src/model/compile/program.js';
import type {Transform} from '../../../src/model/compile/rewrite.js';
import {composedLayers} from '../../../src/model/composed-layers.js';
import {fusedLayers} from '../../../src/model/fused-layers.js';
import {dense} from '../../../src/model/layers.js';
import {crossEntropy} from '../../../src/model/losses.js';
import {hasFusedKernels, tf} from '../../../src/model/tensorflow.js';
import {maxAbs, maxDifference} from '../golden-models.js';
import {gradientFunction, gradientInputs} from '../gradient-function.js';
import {testModel} from '../test-model.js';
import {tinyBatch, tinyCheckpoint} from '../tiny-checkpoint.js';

const model = testModel(tinyCheckpoint());

const layerSets = [
  {
    name: 'composed',
    functions: {layersOf: composedLayers, isFused: false},
    skip: false,
    halves: ['BatchMatMulV2', 'BiasAdd', 'GatherV2', 'MatMul', 'Reshape', 'ScatterNd', 'Transpose', 'Unpack'],
  },
  {
    name: 'fused',
    functions: {layersOf: fusedLayers, isFused: true},
    skip: !hasFusedKernels && 'no fused kernels: they are built for the CPU alone',
    halves: [
      ...['BiasAdd', 'BiasAddGrad', 'FtftAddNormGrad', 'FtftAttention', 'FtftAttentionGrad', 'FtftDropout'],
      ...['FtftGelu', 'FtftGeluGrad', 'GatherV2', 'MatMul', 'Reshape'],
    ],
  },
];

/** Whatever comes into them. */
const always = ['MatMul', 'BatchMatMulV2', 'BiasAdd', 'FtftGelu', 'FtftGeluGrad', 'FtftAttentionGrad'];
/** Ops whose attribute T is the type of these inputs and of the first output. */
const typed: Record<string, number[]> = {
  MatMul: [0, 1],
  BatchMatMulV2: [0, 1],
  BiasAdd: [0, 1],
  Reshape: [0],
  Mul: [0, 1],
};

/** Each value of the function, recorded and after the pass. */
function cast(f: FunctionSpec): {op: string; was: Value; is: Value}[] {
  const seen: {op: string; was: Value; is: Value}[] = [];
  const watched: Transform = (node, inputs) => {
    const outputs = autocast(node, inputs);
    const now = outputs?.[0].node ?? {...node, inputs};
    node.outputs.forEach((was, i) => void seen.push({op: node.op, was, is: now.outputs[i]}));
    if (typed[node.op])
      for (const {type} of [...typed[node.op].map(i => now.inputs[i]), now.outputs[0]])
        assert.deepEqual(now.attributes.T, typeAttribute(type), node.op);
    return outputs;
  };
  compile({f}, watched).dispose();
  return seen;
}

test('what is computed from a product, but moved, is float32 again, and a product of whole numbers stays one', () => {
  const seen = cast({
    inputs: {
      x: {type: 'float32', shape: ['T', 4]},
      weight: {type: 'float32', shape: [3, 4]},
      bias: {type: 'float32', shape: [3]},
      labels: {type: 'int32', shape: ['T']},
      counts: {type: 'int32', shape: [2, 2]},
    },
    body({x, weight, bias, labels, counts}, {T}) {
      const y = dense(x, weight, bias);
      const sums = [tf.sum(y, 0), tf.mean(y, 0), tf.max(y, 0)];
      const each = [tf.softmax(y), tf.exp(y), tf.square(y), tf.tanh(y), tf.add(y, y), tf.mul(y, 0.5), tf.sub(y, bias)];
      const moved = {moved: tf.transpose(tf.reshape(y, [3, T])), product: tf.matMul(counts, counts)};
      const computed = [...sums, ...each].map((result, i) => [`r${i}`, result]);
      return {loss: crossEntropy(y, labels), ...moved, ...Object.fromEntries(computed)};
    },
  });
  const typesOf = (type: Value['type']) =>
    [...new Set(seen.filter(({is}) => is.type === type).map(({op}) => op))].sort();
  assert.deepEqual(typesOf('bfloat16'), ['BiasAdd', 'MatMul', 'Reshape', 'Transpose']);
  const ops = ['Softmax', 'Sum', 'Mean', 'Max', 'Exp', 'Log', 'Square', 'Tanh', 'Add', 'Mul', 'Sub', 'Neg'];
  assert.deepEqual(
    ops.filter(op => !typesOf('float32').includes(op)),
    [],
  );
  assert.ok(typesOf('int32').includes('BatchMatMulV2'));
});

for (const {name, functions, skip, halves} of layerSets) {
  test(`${name} layers: products are bfloat16, sums over many numbers float32, whole numbers as they were`, {
    skip,
  }, () => {
    const seen = cast(gradientFunction(model, functions, true));
    // Everything else, such as softmax, norms, the loss and the gradients of the embeddings, stays in float32.
    const found = new Set(seen.filter(({is}) => is.type === 'bfloat16').map(({op}) => op));
    assert.deepEqual([...found].sort(), halves);
    for (const {op, was, is} of seen) {
      if (was.type !== 'float32') assert.equal(is.type, was.type, op);
      else if (always.includes(op)) assert.equal(is.type, 'bfloat16', op);
      // Of the fused layers: norms' deviations, the gradients of their scales, the logarithms of attention's sums.
      else if (was.index > 0 && op.startsWith('Ftft')) assert.equal(is.type, 'float32', `${op}:${is.index}`);
    }
  });

  test(`${name} layers: bfloat16 is near float32, and not the same`, {skip}, () => {
    const f = gradientFunction(model, functions, true);
    const [exact, half] = [compile({f}), compile({f}, autocast)];
    tf.tidy(() => {
      const inputs = gradientInputs(model, tinyBatch(), f, 3);
      const expected = exact.run('f', inputs);
      const actual = half.run('f', inputs);
      for (const result of Object.keys(expected)) {
        assert.equal(actual[result].dtype, 'float32');
        // Its true gradient is 0: what there is of it is noise.
        if (result.endsWith('key.bias')) continue;
        const values = expected[result].dataSync();
        const distance = maxDifference(actual[result].dataSync(), values) / maxAbs(values);
        // A number of bfloat16 is off by up to 2^-9 of itself; on the way back the errors of some twenty products add up.
        const most = result === 'loss' || result === 'logits' ? 0.02 : 0.25;
        assert.ok(distance > 0 && distance < most, `${result} is off by ${distance} of its largest value`);
      }
      // What a product gives has the bits of bfloat16: the lower half of a float32 is 0.
      const bits = new Uint32Array(actual.logits.dataSync().slice().buffer);
      assert.ok(bits.every(word => (word & 0xffff) === 0));
    });
    exact.dispose();
    half.dispose();
  });
}
