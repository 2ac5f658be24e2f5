// Variables that are only read side by side become one with the same numbers; all others stay.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import type {NamedTensor} from '../../../src/data/types.js';
import {type Node, reachable} from '../../../src/model/compile/graph.js';
import {joining} from '../../../src/model/compile/join-variables.js';
import {recordFunction} from '../../../src/model/compile/program.js';
import {rewrite} from '../../../src/model/compile/rewrite.js';
import {nameOf} from '../../../src/model/compile/variable-files.js';
import {type Tensor, tf} from '../../../src/model/tensorflow.js';
import {variableOf} from '../../../src/model/variables.js';

type Reading = (read: (name: string) => Tensor) => Record<string, Tensor>;

/** Names and shapes of the variables after the pass, its ops, and the values by name. */
function joinedOf(reading: Reading) {
  const shapes: Record<string, number[]> = {'a.q.w': [2, 3], 'a.k.w': [1, 3], 'a.v.w': [2, 3]};
  const body = () => reading(name => variableOf(name, shapes[name], name).read());
  const {results} = recordFunction('f', {inputs: {}, body});
  const {pass, tensorOf} = joining(reachable(results));
  const after = reachable(results.map(rewrite(results, pass).node));
  const handles = after.filter(({op}) => op === 'VarHandleOp');
  const values = Object.entries(shapes).map(([name, shape], i): [string, NamedTensor] => [
    name,
    {name, shape, read: () => Float32Array.from({length: shape[0] * shape[1]}, (_, k) => 10 * i + k)},
  ]);
  const read = (handle: Node) => {
    const {name, shape, read} = tensorOf(handle, new Map(values));
    return `${name} [${shape}] ${read()}`;
  };
  return {names: handles.map(nameOf), read: handles.map(read), ops: after.map(({op}) => op)};
}

test('variables that are read side by side alone are one, in their order', () => {
  const {read, ops} = joinedOf(read => ({y: tf.relu(tf.concat([read('a.q.w'), read('a.k.w'), read('a.v.w')]))}));
  assert.deepEqual(read, ['a.q-k-v.w [5,3] 0,1,2,3,4,5,10,11,12,20,21,22,23,24,25']);
  assert.deepEqual(ops, ['VarHandleOp', 'ReadVariableOp', 'Relu', 'Identity']);
});

test('variables that are read elsewhere too, joined along another axis, or with what is no variable stay', () => {
  const apart: Reading[] = [
    read => ({y: tf.concat([read('a.q.w'), read('a.k.w')]), z: tf.relu(read('a.q.w'))}),
    read => ({y: tf.concat([read('a.q.w'), read('a.v.w')], 1)}),
    read => ({y: tf.concat([read('a.q.w'), tf.relu(read('a.k.w'))])}),
    read => ({y: tf.concat([read('a.q.w'), read('a.q.w')])}),
  ];
  for (const [i, reading] of apart.entries()) {
    const {names, ops} = joinedOf(reading);
    assert.ok(ops.includes('ConcatV2'), `case ${i}`);
    assert.ok(
      names.every(name => !name.includes('-')),
      `case ${i}: ${names}`,
    );
  }
});
