// What the shape rules say, against what TensorFlow does: each op runs by itself and as part of a loaded graph.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {reachable} from '../../../src/model/compile/graph.js';
import {compile} from '../../../src/model/compile/program.js';
import {Recorder} from '../../../src/model/compile/recorder.js';
import {ruledOps} from '../../../src/model/compile/shapes.js';
import {hasFusedKernels, type Tensor, tf} from '../../../src/model/tensorflow.js';
import {close, maxAbs} from '../golden-models.js';
import {cases} from './op-cases.js';

const skip = (op: string) =>
  op.startsWith('Ftft') && !hasFusedKernels && 'no fused kernels: they are built for the CPU alone';
const described = ({shape, dtype}: Pick<Tensor, 'shape' | 'dtype'>) => `${dtype} [${shape}]`;
/** Where the rule leaves a size to the run (-1), it leaves it here. */
const asFarAsRuled = ({shape, dtype}: Tensor, ruled: number[]) =>
  described({shape: shape.map((size, axis) => (ruled[axis] === -1 ? -1 : size)), dtype});

test('every op with a shape rule has a case, and every case a rule', () => {
  assert.deepEqual(Object.keys(cases).sort(), [...ruledOps].sort());
});

for (const [op, run] of Object.entries(cases)) {
  test(`${op} gives the shapes and types that its rule says, and the same numbers in a graph`, {skip: skip(op)}, () => {
    tf.tidy(() => {
      const expected = run();
      const recorder = new Recorder({});
      const {inferred, shapes, ops} = recorder.record(() =>
        tf.tidy(() => {
          const results = run();
          const roots = [...results.map(result => recorder.value(result).node), ...recorder.writes];
          const shapes = results.map(({shape}) => shape);
          return {inferred: results.map(described), shapes, ops: reachable(roots).map(node => node.op)};
        }),
      );
      assert.deepEqual(
        inferred,
        expected.map((result, i) => asFarAsRuled(result, shapes[i])),
      );
      assert.ok(ops.includes(op), `the case records no ${op}: ${ops}`);

      const program = compile({
        f: {inputs: {}, body: () => Object.fromEntries(run().map((result, i) => [`r${i}`, result]))},
      });
      const computed = Object.values(program.run('f', {}));
      assert.deepEqual(computed.map(described), expected.map(described));
      computed.forEach((result, i) => {
        const values = expected[i].dataSync();
        close(result.dataSync(), values, 1e-6 * maxAbs(values), `result ${i}`);
      });
      program.dispose();
    });
  });
}
