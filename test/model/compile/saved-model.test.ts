// A graph's bytes: TensorFlow reads them, and so does protobuf's own reader, by the field numbers of TensorFlow's public schema.
import assert from 'node:assert/strict';
import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {BinaryReader} from '@bufbuild/protobuf/wire';
import {constant, constantOf, dataTypes, makeNode, type Node, typeAttribute} from '../../../src/model/compile/graph.js';
import {shapeAttribute} from '../../../src/model/compile/recorder.js';
import {encode, loadGraph} from '../../../src/model/compile/saved-model.js';
import {handleOf, nativeBinding, type Tensor, tensorOfHandle, tf} from '../../../src/model/tensorflow.js';

const float = {T: typeAttribute('float32')};
const spec = (...shape: number[]) => ({type: 'float32' as const, shape});

/** x [n, 2] → its second column, doubled; the two columns are outputs of one node. */
function graph(): Node[] {
  const placeholder = {dtype: typeAttribute('float32'), shape: shapeAttribute([-1, 2])};
  const x = makeNode('Placeholder', placeholder, [], [spec(-1, 2)], {name: 'x'});
  const axis = {axis: {$case: 'i', value: -1} as const, num: {$case: 'i', value: 2} as const};
  const columns = makeNode('Unpack', {...float, ...axis}, x.outputs, [spec(-1), spec(-1)]);
  const product = makeNode('Mul', float, [columns.outputs[1], constant('float32', [2])], [spec(-1)]);
  return [x, columns, product.inputs[1].node, makeNode('Identity', float, product.outputs, [spec(-1)], {name: 'y'})];
}

/** Results by running the loaded graph. */
function run(id: number, inputs: Record<string, Tensor>, outputs: string[]): Tensor[] {
  const feeds = Object.keys(inputs).map(name => `${name}:0`);
  const handles = Object.values(inputs).map(handleOf);
  const fetches = outputs.map(name => `${name}:0`);
  return nativeBinding.runSavedModel(id, handles, feeds.join(','), fetches.join(',')).map(tensorOfHandle);
}

// A folder of temporary files for this process alone: other tests load graphs at the same time.
const folder = mkdtempSync(join(tmpdir(), 'ftft-test-'));
process.env.TMPDIR = folder;
after(() => rmSync(folder, {recursive: true}));

test('TensorFlow loads a graph and computes what it says, and the folder is gone', () => {
  const id = loadGraph(graph());
  assert.deepEqual(readdirSync(folder), []);
  tf.tidy(() => {
    for (const rows of [
      [[1, 2]],
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ]) {
      const [y] = run(id, {x: tf.tensor2d(rows)}, ['y']);
      assert.deepEqual(
        [...y.dataSync()],
        rows.map(([, second]) => 2 * second),
      );
    }
  });
  nativeBinding.deleteSavedModel(id);
});

test('the folder is gone after a graph that TensorFlow refuses', () => {
  const unknown = makeNode('FtftNoSuchOp', {}, [], [spec()], {name: 'y'});
  assert.throws(() => loadGraph([unknown]), /FtftNoSuchOp/);
  assert.deepEqual(readdirSync(folder), []);
});

test('constants of every type and shape come out as they went in', () => {
  const bytes = (values: ArrayBufferView) => new Uint8Array(values.buffer.slice(0) as ArrayBuffer);
  const floats = Float32Array.from({length: 300}, (_, i) => i / 7 - 20);
  const constants = {
    floats: constantOf('float32', [10, 30], bytes(floats)),
    ints: constant('int32', [-(2 ** 31), 2 ** 31 - 1, 0], [3]),
    bools: constantOf('bool', [2, 2], Uint8Array.of(1, 0, 0, 1)),
    scalar: constant('float32', [Math.PI]),
    none: constantOf('float32', [0, 4], new Uint8Array()),
  };
  const named = Object.entries(constants).map(([name, value]) =>
    makeNode('Identity', {T: typeAttribute(value.type)}, [value], [value], {name}),
  );
  const id = loadGraph(named);
  tf.tidy(() => {
    const results = run(id, {}, Object.keys(constants));
    assert.deepEqual(
      results.map(({dtype, shape}) => `${dtype} ${shape}`),
      ['float32 10,30', 'int32 3', 'bool 2,2', 'float32 ', 'float32 0,4'],
    );
    const values = results.map(result => [...result.dataSync()]);
    assert.deepEqual(values, [[...floats], [-(2 ** 31), 2 ** 31 - 1, 0], [1, 0, 0, 1], [Math.fround(Math.PI)], []]);
  });
  nativeBinding.deleteSavedModel(id);
});

test('the bytes hold one meta graph tagged serve, whose nodes are named once and refer to outputs and to what runs before', () => {
  const nodes = graph();
  const [x] = nodes;
  const last = makeNode('Neg', float, x.outputs, [spec(-1, 2)], {after: [nodes[1], x]});
  const root = fields(encode([...nodes.slice(0, 2), last]));
  assert.deepEqual(root[1], [1]);
  const [meta] = root[2].map(fields);
  const [info] = meta[1].map(fields);
  assert.deepEqual(info[4].map(String), ['serve']);
  const [graphDef] = meta[2].map(fields);
  const decoded = graphDef[1].map(fields).map(node => ({
    name: String(node[1][0]),
    op: String(node[2][0]),
    inputs: (node[3] ?? []).map(String),
    attributes: Object.fromEntries(
      (node[5] ?? []).map(fields).map(entry => [String(entry[1][0]), fields(entry[2][0])]),
    ),
  }));
  assert.deepEqual(
    decoded.map(({name, op, inputs}) => ({name, op, inputs})),
    [
      {name: 'x', op: 'Placeholder', inputs: []},
      {name: 'n1', op: 'Unpack', inputs: ['x']},
      {name: 'n2', op: 'Neg', inputs: ['x', '^n1', '^x']},
    ],
  );
  // Field numbers of AttrValue: 3 for a whole number, 6 for a type, 7 for a shape.
  assert.deepEqual(decoded[0].attributes.dtype[6], [dataTypes.float32]);
  const sizes = fields(decoded[0].attributes.shape[7][0])[2].map(dim => fields(dim)[1]);
  assert.deepEqual(sizes, [[-1], [2]]);
  assert.deepEqual([decoded[1].attributes.axis[3], decoded[1].attributes.num[3]], [[-1], [2]]);
});

type Field = number | Buffer;

/** A message's fields by number: varints as signed numbers, everything else as bytes. */
function fields(message: Uint8Array | number): Record<number, Field[]> {
  const reader = new BinaryReader(message as Uint8Array);
  const found: Record<number, Field[]> = {};
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    found[number] ??= [];
    found[number].push(wireType === 0 ? Number(reader.int64()) : Buffer.from(reader.bytes()));
  }
  return found;
}
