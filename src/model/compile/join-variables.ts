// A pass over a graph that only reads its variables: those that are read nowhere but side by side become one. To join them at every call would
// be to copy that part of the weights at every call.
import type {NamedTensor} from '../../data/types.js';
import {constantNumbers, type Node, type Value} from './graph.js';
import type {Transform} from './rewrite.js';
import {nameOf, readNode, variableNode} from './variable-files.js';

export interface Joining {
  pass: Transform;
  /** Of a variable of the graph after the pass, from those of the variables before it. */
  tensorOf(handle: Node, values: ReadonlyMap<string, NamedTensor>): NamedTensor;
}

/** Of all nodes of the graph. */
export function joining(nodes: readonly Node[]): Joining {
  const numReaders = new Map<string, number>();
  for (const value of nodes.flatMap(({inputs}) => inputs)) {
    const name = nameRead(value);
    if (name !== undefined) numReaders.set(name, 1 + (numReaders.get(name) ?? 0));
  }
  const joined = new Map<string, string[]>();
  return {
    pass({op, inputs, outputs}) {
      if (op !== 'ConcatV2' || constantNumbers(inputs.at(-1)!)?.[0] !== 0) return undefined;
      const names = inputs.slice(0, -1).map(nameRead);
      if (!names.every(name => name !== undefined && numReaders.get(name) === 1)) return undefined;
      const name = nameOfAll(names as string[]);
      joined.set(name, names as string[]);
      return [readNode(variableNode(name, outputs[0].shape))];
    },
    tensorOf(handle, values) {
      const name = nameOf(handle);
      const parts = joined.get(name)?.map(part => values.get(part)!);
      if (!parts) return values.get(name)!;
      return {name, shape: handle.outputs[0].shape, read: () => concatenated(parts.map(part => part.read()))};
    },
  };
}

/** The variable whose value it is. */
const nameRead = ({node}: Value): string | undefined =>
  node.op === 'ReadVariableOp' ? nameOf(node.inputs[0].node) : undefined;

/** self.query.weight, self.key.weight → self.query-key.weight */
function nameOfAll(names: string[]): string {
  const split = names.map(name => name.split('.'));
  return split[0].map((_, i) => [...new Set(split.map(words => words[i]))].join('-')).join('.');
}

function concatenated(parts: Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, {length}) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
