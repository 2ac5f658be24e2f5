// The rewritten graph: what is equal becomes one node, what has effects stays as often and in the order in which it was asked for.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {castTo, constant, makeNode, type Node, reachable, typeAttribute} from '../../../src/model/compile/graph.js';
import {compile} from '../../../src/model/compile/program.js';
import {Recorder} from '../../../src/model/compile/recorder.js';
import {rewrite, type Transform} from '../../../src/model/compile/rewrite.js';
import {execute, type Tensor, tf} from '../../../src/model/tensorflow.js';
import {variableOf} from '../../../src/model/variables.js';

const asItWas: Transform = () => undefined;
const count = (nodes: Node[], op: string) => nodes.filter(node => node.op === op).length;

/** The recorded nodes of a function of x [2], rewritten: the first result is named, so that it stays. */
function rewritten(body: (x: Tensor) => Tensor[], pass = asItWas): {nodes: Node[]; results: Node[]} {
  const recorder = new Recorder({});
  const roots: Node[] = [];
  recorder.record(() =>
    tf.tidy(() => {
      body(recorder.placeholder('x', 'float32', [2])).forEach((result, i) => {
        const value = recorder.value(result);
        roots.push(makeNode('Identity', {T: typeAttribute(value.type)}, [value], [value], {name: `result${i}`}));
      });
      roots[0]?.after.push(...recorder.writes);
    }),
  );
  const graph = rewrite(roots, pass);
  const results = roots.map(root => graph.node(root));
  return {nodes: reachable(results), results};
}

test('nodes that compute the same from the same become one, and so do what they feed', () => {
  const {nodes, results} = rewritten(x => [1, 2].map(() => tf.exp(tf.mul(tf.add(x, 3), tf.add(x, 3)))));
  assert.deepEqual(
    ['Const', 'Add', 'Mul', 'Exp', 'Identity'].map(op => count(nodes, op)),
    [1, 1, 1, 1, 2],
  );
  assert.equal(results[0].inputs[0], results[1].inputs[0]);
});

test('nodes that differ in attributes, numbers, shape, order or output stay apart', () => {
  const {nodes, results} = rewritten(x => {
    const grid = tf.stack([x, x]);
    const [first, second] = tf.unstack(grid);
    return [
      ...[tf.sum(grid, 0), tf.sum(grid, 0, true), tf.sum(grid, 1)],
      ...[tf.add(x, [1, 2]), tf.add(x, [[1, 2]]), tf.add(x, [1, 3])],
      ...[tf.sub(first, 7), tf.sub(7, first), tf.sub(second, 7)],
      ...[tf.cast(x, 'int32'), tf.cast(x, 'bool'), tf.exp(x), tf.neg(x)],
    ];
  });
  assert.equal(new Set(results.map(({inputs}) => inputs[0])).size, results.length);
  assert.deepEqual(
    ['Sum', 'Add', 'Sub', 'Cast', 'Pack', 'Unpack'].map(op => count(nodes, op)),
    [3, 3, 3, 2, 1, 1],
  );
});

test('what a pass puts in a node’s place is what others read, and becomes one where it is equal', () => {
  const halve: Transform = ({op, outputs}, inputs) => {
    if (op !== 'Exp' && op !== 'Neg') return undefined;
    const half = inputs.map(input => castTo('bfloat16', input));
    return makeNode(op, {T: typeAttribute('bfloat16')}, half, [{...outputs[0], type: 'bfloat16'}]).outputs;
  };
  const {nodes, results} = rewritten(x => [tf.exp(x), tf.exp(x), tf.neg(x)], halve);
  assert.deepEqual(
    ['Exp', 'Neg', 'Cast'].map(op => count(nodes, op)),
    // Of x to bfloat16, and of each op's value back to what the result was.
    [1, 1, 3],
  );
  for (const {inputs} of results) assert.deepEqual([inputs[0].node.op, inputs[0].type], ['Cast', 'float32']);
});

const counter = () => variableOf('counter', [], 'counter');
const increase = (handle: Tensor, by: number) =>
  void execute('AssignAddVariableOp', {dtype: {type: 'float32'}}, [handle, tf.scalar(by)], 0);

test('reads and writes of a variable stay as many as they were, each after those before it', () => {
  const {nodes} = rewritten(() => {
    const {handle, read, assign} = counter();
    const first = [read(), read()];
    assign(tf.scalar(3));
    increase(handle, 1);
    increase(handle, 1);
    return [read(), ...first];
  });
  assert.deepEqual(
    ['ReadVariableOp', 'AssignVariableOp', 'AssignAddVariableOp'].map(op => count(nodes, op)),
    [3, 1, 2],
  );
  const places = nodes.filter(({op}) => op.includes('Variable'));
  const chain = (node: Node): string[] => node.after.flatMap(other => [other.op, ...chain(other)]);
  const last = places.find(({op, after}) => op === 'ReadVariableOp' && after.length > 0)!;
  const [add, assign, read] = ['AssignAddVariableOp', 'AssignVariableOp', 'ReadVariableOp'];
  assert.deepEqual(chain(last), [add, add, assign, read, read]);
});

test('a program that reads, writes and reads again gives both values, and its functions share the variable', () => {
  const program = compile({
    set: {
      inputs: {value: {type: 'float32', shape: []}},
      body: ({value}) => {
        counter().assign(value);
        return {done: tf.scalar(1)};
      },
    },
    // The update hangs on the first result alone, which does not read what it wrote.
    step: {
      inputs: {},
      body: () => {
        const {handle, read} = counter();
        const before = read();
        increase(handle, 1);
        const between = read();
        increase(handle, 10);
        return {one: tf.scalar(1), before, between, twice: tf.mul(read(), 2)};
      },
    },
    other: {inputs: {}, body: () => ({value: counter().read()})},
  });
  const run = (name: string, inputs: Record<string, Tensor> = {}) =>
    Object.values(program.run(name, inputs)).map(result => result.dataSync()[0]);
  tf.tidy(() => {
    run('set', {value: tf.scalar(100)});
    for (let i = 0; i < 50; i++) {
      const before = 100 + 11 * i;
      assert.deepEqual(run('step'), [1, before, before + 1, 2 * (before + 11)]);
    }
    assert.deepEqual(run('other'), [650]);
    run('set', {value: tf.scalar(-1)});
    assert.deepEqual(run('other'), [-1]);
  });
  program.dispose();
});

test('two programs have variables of their own', () => {
  const make = () =>
    compile({
      set: {
        inputs: {value: {type: 'float32', shape: []}},
        body: ({value}) => {
          counter().assign(value);
          return {done: tf.scalar(1)};
        },
      },
      get: {inputs: {}, body: () => ({value: counter().read()})},
    });
  const programs = [make(), make()];
  tf.tidy(() => {
    programs.forEach((program, i) => void program.run('set', {value: tf.scalar(i)}));
    const values = programs.map(program => program.run('get', {}).value.dataSync()[0]);
    assert.deepEqual(values, [0, 1]);
  });
  for (const program of programs) program.dispose();
});

test('a chain longer than the call stack is followed to its end', () => {
  let value = constant('float32', [1]);
  for (let i = 0; i < 50_000; i++) {
    const next = makeNode('Neg', {T: typeAttribute('float32')}, [value], [{type: 'float32', shape: []}]);
    value = next.outputs[0];
  }
  assert.equal(reachable([value.node]).length, 50_001);
});
