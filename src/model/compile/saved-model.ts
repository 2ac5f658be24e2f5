// A recorded graph → a SavedModel in a folder of its own, loaded by TensorFlow; and runs of what was loaded.
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {handleOf, nativeBinding, type Tensor, tensorOfHandle} from '../tensorflow.js';
import {type AttrValue, type MetaGraphDef, type NodeDef, SavedModel} from './gen/tensorflow.js';
import {dataTypes, type Node, reachable, type Value} from './graph.js';

/** A version of TensorFlow's graph format that all ops here are older than. */
const producer = 1882;

/** Returns the number by which the binding knows the loaded graph. */
export function loadGraph(roots: Iterable<Node>): number {
  const folder = mkdtempSync(join(tmpdir(), 'ftft-graph-'));
  try {
    writeFileSync(join(folder, 'saved_model.pb'), encode(reachable(roots)));
    return nativeBinding.loadSavedModel(folder, 'serve');
  } finally {
    rmSync(folder, {recursive: true});
  }
}

/** Feeds tensors to nodes by name. Results of the nodes asked for, in the current tidy. */
export function runGraph(graph: number, inputs: Record<string, Tensor>, results: readonly string[]): Tensor[] {
  const ends = (names: readonly string[]) => names.map(name => `${name}:0`).join(',');
  const handles = Object.values(inputs).map(handleOf);
  return nativeBinding.runSavedModel(graph, handles, ends(Object.keys(inputs)), ends(results)).map(tensorOfHandle);
}

/** What a loader that does not know the graph by heart is told of it. */
export type Interface = Pick<MetaGraphDef, 'saverDef' | 'collectionDef' | 'signatureDef'>;

const noInterface: Interface = {saverDef: undefined, collectionDef: {}, signatureDef: {}};

/** saved_model.pb of the nodes, each of which comes after what it needs. */
export function encode(nodes: readonly Node[], told: Interface = noInterface): Uint8Array {
  const names = new Map(nodes.map((node, i) => [node, node.name ?? `n${i}`]));
  const reference = ({node, index}: Value) => (index === 0 ? names.get(node)! : `${names.get(node)}:${index}`);
  const node = nodes.map(
    (node): NodeDef => ({
      name: names.get(node)!,
      op: node.op,
      input: [...node.inputs.map(reference), ...node.after.map(other => `^${names.get(other)}`)],
      attr: attributesOf(node),
    }),
  );
  const metaGraph = {metaInfoDef: {tags: ['serve']}, graphDef: {node, versions: {producer}}, ...told};
  return SavedModel.encode({savedModelSchemaVersion: 1, metaGraphs: [metaGraph]}).finish();
}

function attributesOf({attributes, content, outputs}: Node): Record<string, AttrValue> {
  const encoded = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, {value}]));
  if (!content) return encoded;
  const [{type, shape}] = outputs;
  const tensor = {
    dtype: dataTypes[type],
    tensorShape: {dim: shape.map(size => ({size}))},
    tensorContent: Buffer.from(content),
    stringVal: [],
  };
  return {...encoded, value: {value: {$case: 'tensor', value: tensor}}};
}
