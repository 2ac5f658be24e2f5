// Ordinary tfjs code in, a graph out: while it records, this stands in for tfjs-node's native binding and computes nothing.
import {
  handleOf,
  type NativeAttribute,
  nativeBinding,
  replaceBinding,
  type Tensor,
  tensorOfHandle,
  tf,
} from '../tensorflow.js';
import {type Dimensions, factors, knownShape, ShapeNodes} from './dimensions.js';
import {
  type Attribute,
  constantNumbers,
  constantOf,
  type DataType,
  dataTypeOf,
  dataTypes,
  makeNode,
  type Node,
  type OutputSpec,
  typeAttribute,
  type Value,
} from './graph.js';
import {inferOutputs, shapeInputs} from './shapes.js';

// Far from the ids that the native binding hands out, so that a tensor from outside is told apart.
const firstId = 1 << 30;

/** Reads and writes of one variable so far, in the function that is being recorded. */
interface Accesses {
  write?: Node;
  reads: Node[];
}

export class Recorder {
  private readonly values = new Map<number, Value>();
  private readonly accesses = new Map<string, Accesses>();
  private readonly sizes: ShapeNodes;
  /** Numbers that the code has made tensors of. */
  private readonly written = new WeakSet<object>();

  constructor(private readonly dimensions: Dimensions) {
    this.sizes = new ShapeNodes(dimensions);
  }

  /** Updates of variables that the code asked for. */
  readonly writes: Node[] = [];

  /** Runs the code with this in the binding's place. */
  record<T>(code: () => T): T {
    const restore = replaceBinding(this.binding());
    // tfjs hands numbers to the binding when they are first used: only where they are written shows whose they are.
    const backend = tf.backend();
    const {write} = backend;
    backend.write = (values, shape, type) => {
      this.written.add(values);
      return write.call(backend, values, shape, type);
    };
    try {
      return code();
    } finally {
      backend.write = write;
      restore();
    }
  }

  /** A tensor that stands for an input of the graph. While it records. */
  placeholder(name: string, type: DataType, shape: number[]): Tensor {
    const attributes = {dtype: typeAttribute(type), shape: shapeAttribute(knownShape(shape, this.dimensions))};
    const [value] = makeNode('Placeholder', attributes, [], [{type, shape}], {name}).outputs;
    this.sizes.learn(value);
    return tensorOfHandle(this.describe(value));
  }

  /** What a tensor of the code stands for. While it records. */
  value(tensor: Tensor): Value {
    return this.valueOf(handleOf(tensor));
  }

  private binding(): object {
    const refuse = (what: string) => () => {
      throw recordingError(what, 'a value is known only when the graph runs; feed it or compute it with tensors');
    };
    return Object.setPrototypeOf(
      {
        createTensor: (shape: number[], type: number, values: ArrayBufferView) =>
          this.createTensor(shape, type, values),
        deleteTensor: () => {},
        executeOp: (op: string, attributes: NativeAttribute[], inputs: number[], numOutputs: number) =>
          this.executeOp(op, attributes, inputs, numOutputs),
        tensorDataSync: refuse('read a tensor'),
        runSavedModel: refuse('run a graph'),
      },
      nativeBinding,
    );
  }

  private createTensor(shape: number[], type: number, values: ArrayBufferView): number {
    if (!this.written.has(values)) throw outsideError();
    if (shape.some(size => factors(size, this.dimensions)))
      throw recordingError(`make a tensor of shape [${shape}]`, 'a size that differs from call to call is part of it');
    return this.keep(constantOf(dataTypeOf(type), [...shape], bytes(values)));
  }

  private executeOp(op: string, native: NativeAttribute[], ids: number[], numOutputs: number) {
    const attributes = Object.fromEntries(native.map(({name, type, value}) => [name, attributeOf(type, value)]));
    const inputs = ids.map(id => this.valueOf(id));
    // The one op among these whose type tfjs leaves to the eager runtime.
    if (op === 'ExpandDims') attributes.T = typeAttribute(inputs[0].type);
    let outputs: OutputSpec[];
    try {
      outputs = inferOutputs(op, inputs, attributes, numOutputs);
    } catch (error) {
      throw recordingError(`record the op ${op}`, (error as Error).message);
    }
    const isNaming = op === 'EnsureShape';
    if (isNaming) attributes.shape = shapeAttribute(knownShape(outputs[0].shape, this.dimensions));
    const node = makeNode(op, attributes, this.resolveSizes(op, inputs), outputs);
    if (isNaming) this.sizes.learn(node.outputs[0]);
    this.order(node);
    return node.outputs.map(value => this.describe(value));
  }

  /** Sizes that only a run knows: computed where an op takes a shape, refused anywhere else. */
  private resolveSizes(op: string, inputs: Value[]): Value[] {
    return inputs.map((input, i) => {
      const numbers = constantNumbers(input);
      if (!numbers) return input;
      if (shapeInputs[op]?.includes(i)) return this.sizes.resolve(input, numbers);
      const isBaked = numbers.some(n => factors(n, this.dimensions) || factors(Math.round(1 / n), this.dimensions));
      if (!isBaked) return input;
      throw recordingError(`record the op ${op}`, 'a size that differs from call to call has become a constant');
    });
  }

  /** Reads and writes of a variable happen in the order in which the code asks for them. */
  private order(node: Node): void {
    for (const {type, node: handle} of node.inputs) {
      if (type !== 'resource') continue;
      const variable = String(handle.attributes.shared_name.value);
      const accesses = this.accesses.get(variable) ?? {reads: []};
      this.accesses.set(variable, accesses);
      if (accesses.write) node.after.push(accesses.write);
      if (node.op === 'ReadVariableOp') {
        accesses.reads.push(node);
        continue;
      }
      node.after.push(...accesses.reads);
      Object.assign(accesses, {write: node, reads: []});
      this.writes.push(node);
    }
  }

  private keep(value: Value): number {
    const id = firstId + this.values.size;
    this.values.set(id, value);
    return id;
  }

  private describe(value: Value) {
    return {id: this.keep(value), dtype: dataTypes[value.type], shape: value.shape};
  }

  private valueOf(id: number): Value {
    const value = this.values.get(id);
    if (!value) throw outsideError();
    return value;
  }
}

export const shapeAttribute = (shape: readonly number[]): Attribute => ({
  $case: 'shape',
  value: {dim: shape.map(size => ({size}))},
});

function attributeOf(type: number, value: unknown): Attribute {
  const {TF_ATTR_TYPE, TF_ATTR_BOOL, TF_ATTR_INT, TF_ATTR_FLOAT, TF_ATTR_SHAPE} = nativeBinding;
  if (type === TF_ATTR_TYPE) return {$case: 'type', value: value as number};
  if (type === TF_ATTR_BOOL) return {$case: 'b', value: value as boolean};
  if (type === TF_ATTR_INT) return {$case: 'i', value: value as number};
  if (type === TF_ATTR_FLOAT) return {$case: 'f', value: value as number};
  if (type === TF_ATTR_SHAPE) return shapeAttribute(value as number[]);
  return {$case: 's', value: Buffer.from(String(value))};
}

const bytes = ({buffer, byteOffset, byteLength}: ArrayBufferView) =>
  new Uint8Array(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer);

const outsideError = () =>
  recordingError('use a tensor', 'it was made outside of the recorded code; feed it as an input');

/** Names the line of ours that asked for it: the first of the stack that is neither the library's nor the recorder's. */
function recordingError(attempt: string, reason: string): Error {
  const {stackTraceLimit} = Error;
  // tfjs alone fills the usual ten lines.
  Error.stackTraceLimit = 50;
  const {stack} = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  const line = stack
    ?.split('\n')
    .slice(1)
    .map(text => text.trim())
    .find(text => !/node_modules|tfjs-|model.(compile.recorder|tensorflow)[.][jt]s:/.test(text) && text.includes(':'));
  return new Error(`Cannot ${attempt} while a graph is recorded: ${reason} (${line ?? 'unknown line'})`);
}
