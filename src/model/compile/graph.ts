// The recorded graph: nodes of TensorFlow ops and the values that flow between them.
import type {AttrValue} from './gen/tensorflow.js';

/** TensorFlow's DataType numbers. */
export const dataTypes = {float32: 1, int32: 3, string: 7, resource: 20, bool: 10, bfloat16: 14} as const;
export type DataType = keyof typeof dataTypes;

export function dataTypeOf(number: number): DataType {
  const found = Object.entries(dataTypes).find(([, value]) => value === number);
  // Texts have no raw form: see constantTexts.
  if (!found || found[0] === 'string') throw new Error(`Cannot record a tensor of TensorFlow's data type ${number}`);
  return found[0] as DataType;
}

/** An attribute without its wrapper: the oneof of AttrValue. */
export type Attribute = NonNullable<AttrValue['value']>;

export interface Node {
  op: string;
  attributes: Record<string, Attribute>;
  inputs: Value[];
  /** Nodes that run before this one though nothing flows from them to it. */
  after: Node[];
  outputs: Value[];
  /** Only where somebody asks for the node by name: placeholders and results. */
  name?: string;
  /** Of a Const of numbers: raw values, little-endian. */
  content?: Uint8Array;
}

/** One output of a node. */
export interface Value {
  node: Node;
  index: number;
  type: DataType;
  /** Sizes that are known only when the graph runs are markers or products of them, see dimensions.ts. */
  shape: number[];
}

export interface OutputSpec {
  type: DataType;
  shape: number[];
}

export function makeNode(
  op: string,
  attributes: Record<string, Attribute>,
  inputs: Value[],
  outputs: OutputSpec[],
  more: Partial<Pick<Node, 'after' | 'name' | 'content'>> = {},
): Node {
  const node: Node = {op, attributes, inputs, after: [], outputs: [], ...more};
  node.outputs = outputs.map(({type, shape}, index) => ({node, index, type, shape}));
  return node;
}

export const typeAttribute = (type: DataType): Attribute => ({$case: 'type', value: dataTypes[type]});

export function castTo(type: DataType, value: Value): Value {
  if (value.type === type) return value;
  const types = {SrcT: typeAttribute(value.type), DstT: typeAttribute(type)};
  const attributes = {...types, Truncate: {$case: 'b', value: false} as const};
  return makeNode('Cast', attributes, [value], [{type, shape: value.shape}]).outputs[0];
}

/** A constant of raw values. */
export function constant(type: 'float32' | 'int32', values: readonly number[], shape: number[] = []): Value {
  const typed = type === 'float32' ? Float32Array.from(values) : Int32Array.from(values);
  return constantOf(type, shape, new Uint8Array(typed.buffer));
}

export function constantOf(type: DataType, shape: number[], content: Uint8Array): Value {
  return makeNode('Const', {dtype: typeAttribute(type)}, [], [{type, shape}], {content}).outputs[0];
}

/** A constant of texts. */
export function constantTexts(texts: readonly string[], shape: number[] = [texts.length]): Value {
  const dim = shape.map(size => ({size}));
  const stringVal = texts.map(text => Buffer.from(text));
  const tensor = {dtype: dataTypes.string, tensorShape: {dim}, tensorContent: Buffer.alloc(0), stringVal};
  const attributes: Node['attributes'] = {dtype: typeAttribute('string'), value: {$case: 'tensor', value: tensor}};
  return makeNode('Const', attributes, [], [{type: 'string', shape}]).outputs[0];
}

/** The numbers of a constant, if it is a small one. */
export function constantNumbers({node, type}: Value): number[] | undefined {
  if (node.op !== 'Const' || !node.content || node.content.byteLength > 256) return undefined;
  const {buffer} = node.content.slice();
  if (type === 'int32') return [...new Int32Array(buffer)];
  return type === 'float32' ? [...new Float32Array(buffer)] : undefined;
}

/** Every node that the roots need, each after all that it needs. */
export function reachable(roots: Iterable<Node>): Node[] {
  const done = new Set<Node>();
  // Its own stack: a deep model is a longer chain than the call stack allows.
  const stack = [...roots].reverse().map(node => ({node, isExpanded: false}));
  while (stack.length > 0) {
    const {node, isExpanded} = stack.pop()!;
    if (isExpanded) done.add(node);
    if (isExpanded || done.has(node)) continue;
    stack.push({node, isExpanded: true});
    for (const needed of [...node.inputs.map(input => input.node), ...node.after])
      if (!done.has(needed)) stack.push({node: needed, isExpanded: false});
  }
  return [...done];
}
