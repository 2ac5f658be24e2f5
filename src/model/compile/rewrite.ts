// Passes over a recorded graph: every node is made again from its inputs that were made again, as it was or as a pass wants it.
import {castTo, makeNode, type Node, reachable, type Value} from './graph.js';

/**
 * A node's outputs from its new inputs, undefined: the node as it was. Variables and what is asked for by name are never asked about, and get
 * inputs of the types they had.
 */
export type Transform = (node: Node, inputs: Value[]) => Value[] | undefined;

/** The made-again graph: where a value or a node with effects has gone. */
export interface Rewritten {
  value(old: Value): Value;
  node(old: Node): Node;
}

/** Variables and what is asked for by name: there have to be as many afterwards as before. */
const isFixed = ({op, name}: Node) => name !== undefined || /Variable|VarHandle|Resource/.test(op);

/** Nodes that compute the same from the same become one. */
export function rewrite(roots: Iterable<Node>, transform: Transform): Rewritten {
  const values = new Map<Value, Value>();
  const fixed = new Map<Node, Node>();
  const same = new SameNodes();
  const value = (old: Value) => values.get(old)!;
  for (const node of reachable(roots)) {
    const inputs = node.inputs.map(value);
    let outputs: Value[];
    if (isFixed(node)) {
      const cast = inputs.map((input, i) => same.value(castTo(node.inputs[i].type, input)));
      const copy = makeNode(node.op, node.attributes, cast, node.outputs, {name: node.name});
      copy.after = node.after.map(other => fixed.get(other)!);
      fixed.set(node, copy);
      outputs = copy.outputs;
    } else
      outputs =
        transform(node, inputs)?.map(output => same.value(output)) ??
        same.of(makeNode(node.op, node.attributes, inputs, node.outputs, {content: node.content})).outputs;
    node.outputs.forEach((output, i) => void values.set(output, outputs[i]));
  }
  return {value, node: old => fixed.get(old)!};
}

/** The first node of each kind, by op, attributes, content and inputs. */
class SameNodes {
  private readonly nodes = new Map<string, Node>();
  private readonly ids = new Map<Node, number>();

  /** The node itself, or the one that was there before; what it is made from is looked up first. */
  of(node: Node): Node {
    if (this.ids.has(node)) return node;
    if (isFixed(node)) return this.add(node);
    node.inputs = node.inputs.map(input => this.value(input));
    const key = this.keyOf(node);
    const found = this.nodes.get(key);
    if (found) return found;
    this.nodes.set(key, node);
    return this.add(node);
  }

  value({node, index}: Value): Value {
    return this.of(node).outputs[index];
  }

  private add(node: Node): Node {
    this.ids.set(node, this.ids.size);
    return node;
  }

  private keyOf({op, attributes, inputs, outputs, content}: Node): string {
    const from = inputs.map(({node, index}) => `${this.ids.get(node)}:${index}`);
    const shape = op === 'Const' ? outputs[0].shape : [];
    return JSON.stringify([op, attributes, from, shape, content && Buffer.from(content).toString('base64')]);
  }
}
