// Variables of a graph ↔ TensorFlow's files of their values, PREFIX.index and PREFIX.data-00000-of-00001: the nodes by which whoever loads the
// graph reads them, and the files themselves, written by TensorFlow.
import type {NamedTensor} from '../../data/types.js';
import {nativeBinding, tf} from '../tensorflow.js';
import {type SaverDef, VariableDef} from './gen/tensorflow.js';
import {
  type Attribute,
  constant,
  constantTexts,
  dataTypes,
  makeNode,
  type Node,
  type OutputSpec,
  typeAttribute,
  type Value,
} from './graph.js';
import {shapeAttribute} from './recorder.js';
import {type Interface, loadGraph, runGraph} from './saved-model.js';

const text: OutputSpec = {type: 'string', shape: []};
const texts = {T: typeAttribute('string')};
const float = {dtype: typeAttribute('float32')};

/** Nodes that are asked for by name, and what is told of them; the handles are named after their variables. */
export function restoring(handles: readonly Node[]): {roots: Node[]; told: Omit<Interface, 'signatureDef'>} {
  for (const handle of handles) handle.name = nameOf(handle);
  const defaultName = constantTexts(['variables'], []);
  const optional = {dtype: typeAttribute('string'), shape: shapeAttribute([])};
  const filename = makeNode('PlaceholderWithDefault', optional, [defaultName], [text], {name: 'save/filename'});
  const keys = keysOf(handles.map(nameOf));
  const reads = handles.map(handle => readNode(handle, `${nameOf(handle)}/Read/ReadVariableOp`));
  const save = saveNode(filename.outputs[0], keys, reads);
  const saved = makeNode('Identity', texts, filename.outputs, [text], {name: 'save/saved', after: [save]});
  const outputs = handles.map(({outputs: [{shape}]}): OutputSpec => ({type: 'float32', shape}));
  const restored = makeNode('RestoreV2', typesOf(handles), [filename.outputs[0], ...keys], outputs);
  const assigned = handles.map((handle, k) => assign(handle, restored.outputs[k], `${nameOf(handle)}/Assign`));
  const restore = makeNode('NoOp', {}, [], [], {name: 'save/restore', after: assigned});
  const saverDef: SaverDef = {
    filenameTensorName: 'save/filename:0',
    saveTensorName: 'save/saved:0',
    restoreOpName: 'save/restore',
    version: 2,
  };
  // Python's loader makes variables of its own of these, so that two models with the same names do not share them.
  const variables = handles.map(handle => {
    const name = nameOf(handle);
    const names = {variableName: `${name}:0`, initializerName: `${name}/Assign`};
    const snapshotName = `${name}/Read/ReadVariableOp:0`;
    return Buffer.from(VariableDef.encode({...names, snapshotName, isResource: true, trainable: true}).finish());
  });
  const collectionDef = {variables: {kind: {$case: 'bytesList', value: {value: variables}} as const}};
  return {roots: [saved, restore, ...reads.map(({node}) => node)], told: {saverDef, collectionDef}};
}

/** One tensor after the other is in memory twice; all of them are once, beside the caller's. */
export function writeVariables(prefix: string, tensors: readonly NamedTensor[]): void {
  const handles = tensors.map(({name, shape}) => variableNode(name, shape));
  const done = (name: string, after: Node) =>
    makeNode('Identity', {T: float.dtype}, [constant('float32', [1])], [{type: 'float32', shape: []}], {
      name,
      after: [after],
    });
  const assigned = handles.map((handle, k) => {
    const {shape} = tensors[k];
    const attributes = {...float, shape: shapeAttribute(shape)};
    const value = makeNode('Placeholder', attributes, [], [{type: 'float32', shape}], {name: `value${k}`});
    return done(`assigned${k}`, assign(handle, value.outputs[0]));
  });
  const filename = constantTexts([prefix], []);
  const reads = handles.map(handle => readNode(handle));
  const saved = done('saved', saveNode(filename, keysOf(tensors.map(({name}) => name)), reads));
  const graph = loadGraph([...assigned, saved]);
  try {
    const run = (name: string, inputs = {}) => tf.tidy(() => void runGraph(graph, inputs, [name]));
    tensors.forEach(({shape, read}, k) => {
      tf.tidy(() => run(`assigned${k}`, {[`value${k}`]: tf.tensor(read(), shape, 'float32')}));
    });
    run('saved');
  } finally {
    nativeBinding.deleteSavedModel(graph);
  }
}

/** The handle of a variable. */
export function variableNode(name: string, shape: number[]): Node {
  const attributes = {...float, shape: shapeAttribute(shape), container: bytes(''), shared_name: bytes(name)};
  return makeNode('VarHandleOp', attributes, [], [{type: 'resource', shape}]);
}

export const readNode = (handle: Node, name?: string): Value =>
  makeNode('ReadVariableOp', float, handle.outputs, [{type: 'float32', shape: handle.outputs[0].shape}], {name})
    .outputs[0];

/** By which the graph knows the variable. */
export const nameOf = ({attributes: {shared_name: name}}: Node): string =>
  name.$case === 's' ? String(name.value) : '';

const assign = (handle: Node, value: Value, name?: string): Node =>
  makeNode('AssignVariableOp', float, [handle.outputs[0], value], [], {name});

const saveNode = (filename: Value, keys: Value[], values: Value[]): Node =>
  makeNode('SaveV2', typesOf(values), [filename, ...keys, ...values], []);

/** The tensors' names in the file; and for each of them that it is saved whole. */
const keysOf = (names: readonly string[]): Value[] => [constantTexts(names), constantTexts(names.map(() => ''))];

const typesOf = (all: readonly unknown[]): Record<string, Attribute> => ({
  dtypes: {$case: 'list', value: {s: [], i: [], type: all.map(() => dataTypes.float32), shape: []}},
});

const bytes = (value: string): Attribute => ({$case: 's', value: Buffer.from(value)});
