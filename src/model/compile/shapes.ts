// Shape rules: what an op gives, from its inputs and attributes alone. An op is recorded only if it has a rule here; a test runs
// every rule's op on small tensors and compares.
import {type Attribute, constantNumbers, type DataType, dataTypeOf, type OutputSpec, type Value} from './graph.js';

type Attributes = Record<string, Attribute>;
type Rule = (inputs: Value[], attributes: Attributes, numOutputs: number) => OutputSpec[];

const same: Rule = ([x]) => [{type: x.type, shape: x.shape}];
const broadcast: Rule = ([a, b]) => [{type: a.type, shape: broadcastShape(a.shape, b.shape)}];
const compare: Rule = ([a, b]) => [{type: 'bool', shape: broadcastShape(a.shape, b.shape)}];
const none: Rule = () => [];

const reduce: Rule = ([x, axis], {keep_dims}) => {
  const axes = ints(axis, 'the axes').map(value => (value < 0 ? value + x.shape.length : value));
  const kept = x.shape.flatMap((size, i) => (!axes.includes(i) ? [size] : isTrue(keep_dims) ? [1] : []));
  return [{type: x.type, shape: kept}];
};

const matrixProduct: Rule = ([a, b], {adj_x, adj_y, transpose_a, transpose_b}) => {
  const [rows, inner] = lastTwo(a.shape, isTrue(adj_x ?? transpose_a));
  const [innerOfB, columns] = lastTwo(b.shape, isTrue(adj_y ?? transpose_b));
  if (inner !== innerOfB) throw new Error(`inner sizes differ: [${a.shape}] times [${b.shape}]`);
  return [{type: a.type, shape: [...broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2)), rows, columns]}];
};

const reshape: Rule = ([x, target]) => {
  const shape = ints(target, 'the shape');
  const size = product(x.shape);
  const known = product(shape.filter(n => n >= 0));
  return [{type: x.type, shape: shape.map(n => (n < 0 ? size / known : n))}];
};

const shapeRules: Record<string, Rule> = {
  ...every(
    ['Abs', 'Elu', 'Erf', 'Exp', 'Identity', 'Log', 'LogSoftmax', 'Neg', 'Relu', 'Rsqrt', 'Selu', 'Sigmoid'],
    same,
  ),
  ...every(['Softmax', 'Sqrt', 'Square', 'Tanh', 'ZerosLike', 'OnesLike', 'Reciprocal', 'Sign', 'StopGradient'], same),
  ...every(['ReluGrad', 'TanhGrad', 'AddN', 'BiasAdd', 'RsqrtGrad', 'FtftGelu', 'FtftGeluGrad', 'FtftDropout'], same),
  ...every(
    ['Add', 'AddV2', 'Sub', 'Mul', 'RealDiv', 'Div', 'DivNoNan', 'FloorDiv', 'Maximum', 'Minimum', 'Pow'],
    broadcast,
  ),
  ...every(['SquaredDifference', 'LeftShift', 'RightShift', 'BitwiseAnd', 'BitwiseOr', 'BitwiseXor'], broadcast),
  ...every(['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual', 'LogicalAnd'], compare),
  ...every(['AssignVariableOp', 'AssignAddVariableOp', 'AssignSubVariableOp', 'ResourceApplyAdam'], none),
  ...every(['Sum', 'Mean', 'Max', 'Min'], reduce),
  ...every(['BatchMatMulV2', 'MatMul'], matrixProduct),
  BiasAddGrad: ([dy]) => [{type: dy.type, shape: [dy.shape.at(-1)!]}],
  BroadcastTo: ([x, shape]) => [{type: x.type, shape: ints(shape, 'the shape')}],
  Cast: ([x], {DstT}) => [{type: typeOf(DstT), shape: x.shape}],
  ConcatV2: inputs => {
    const parts = inputs.slice(0, -1);
    const axis = wrap(ints(inputs.at(-1)!, 'the axis')[0], parts[0].shape.length);
    const length = parts.reduce((sum, part) => sum + part.shape[axis], 0);
    return [{type: parts[0].type, shape: parts[0].shape.with(axis, length)}];
  },
  Cumsum: same,
  // How many fall into each part is known when the graph runs.
  DynamicPartition: ([x, parts], _, numOutputs) =>
    Array.from({length: numOutputs}, () => ({type: x.type, shape: [-1, ...x.shape.slice(parts.shape.length)]})),
  EnsureShape: ([x], {shape}) => [{type: x.type, shape: sizesOf(shape)}],
  ExpandDims: ([x, axis]) => {
    const at = wrap(ints(axis, 'the axis')[0], x.shape.length + 1);
    return [{type: x.type, shape: [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]}];
  },
  Fill: ([shape, value]) => [{type: value.type, shape: ints(shape, 'the shape')}],
  FtftAddNorm: ([, {shape}], {for_gradient}) => {
    const kept = isTrue(for_gradient) ? [shape, shape.slice(0, 1)] : [[0, 0], [0]];
    return [shape, ...kept].map(shape => ({type: 'float32', shape}));
  },
  FtftAddNormGrad: ([dy, , , scale]) =>
    [dy.shape, dy.shape, scale.shape, scale.shape].map(shape => ({type: 'float32', shape})),
  FtftAttention: ([qkv], {num_heads}) => [
    {type: qkv.type, shape: [qkv.shape[0], qkv.shape[1] / 3]},
    {type: 'float32', shape: [qkv.shape[0], num_heads.$case === 'i' ? num_heads.value : 0]},
  ],
  FtftRelativeAttention: ([qkv], {num_heads}) => [
    {type: qkv.type, shape: [qkv.shape[0], qkv.shape[1] / 3]},
    {type: 'float32', shape: [qkv.shape[0], num_heads.$case === 'i' ? num_heads.value : 0]},
  ],
  FtftRelativeAttentionGrad: inputs => [inputs[2], inputs[6], inputs[7]].map(({shape}) => ({type: 'float32', shape})),
  FtftAttentionGrad: ([, , qkv]) => [{type: qkv.type, shape: qkv.shape}],
  GatherV2: ([x, indices, axis], {batch_dims}) => {
    const at = wrap(ints(axis, 'the axis')[0], x.shape.length);
    const skipped = batch_dims?.$case === 'i' ? batch_dims.value : 0;
    return [
      {type: x.type, shape: [...x.shape.slice(0, at), ...indices.shape.slice(skipped), ...x.shape.slice(at + 1)]},
    ];
  },
  L2Loss: ([x]) => [{type: x.type, shape: []}],
  OneHot: ([indices, depth, on]) => [{type: on.type, shape: [...indices.shape, ints(depth, 'the depth')[0]]}],
  Pack: (inputs, {axis}) => {
    const at = axis?.$case === 'i' ? wrap(axis.value, inputs[0].shape.length + 1) : 0;
    const {type, shape} = inputs[0];
    return [{type, shape: [...shape.slice(0, at), inputs.length, ...shape.slice(at)]}];
  },
  Range: ([start, limit]) => {
    const [[first], [end]] = [start, limit].map(bound => constantNumbers(bound) ?? []);
    return [{type: limit.type, shape: [first === undefined || end === undefined ? -1 : end - first]}];
  },
  ReadVariableOp: ([handle], {dtype}) => [{type: typeOf(dtype), shape: handle.shape}],
  Reshape: reshape,
  ScatterNd: ([, updates, shape]) => [{type: updates.type, shape: ints(shape, 'the shape')}],
  Select: ([, a]) => [{type: a.type, shape: a.shape}],
  SelectV2: ([condition, a, b]) => [
    {type: a.type, shape: broadcastShape(condition.shape, broadcastShape(a.shape, b.shape))},
  ],
  Slice: ([x, begin, size]) => {
    const begins = ints(begin, 'the begin');
    const sizes = ints(size, 'the size').map((n, i) => (n < 0 ? x.shape[i] - begins[i] : n));
    return [{type: x.type, shape: sizes}];
  },
  SplitV: ([x, lengths, axis]) => {
    const at = wrap(ints(axis, 'the axis')[0], x.shape.length);
    return ints(lengths, 'the lengths').map(length => ({type: x.type, shape: x.shape.with(at, length)}));
  },
  StatelessRandomUniformFullInt: ([shape], {dtype}) => [{type: typeOf(dtype), shape: ints(shape, 'the shape')}],
  Transpose: ([x, order]) => [{type: x.type, shape: ints(order, 'the order').map(axis => x.shape[axis])}],
  Unpack: ([x], {axis}, numOutputs) => {
    const at = axis?.$case === 'i' ? wrap(axis.value, x.shape.length) : 0;
    return Array.from({length: numOutputs}, () => ({type: x.type, shape: x.shape.filter((_, i) => i !== at)}));
  },
  UnsortedSegmentSum: ([x, ids, numSegments]) => [
    {type: x.type, shape: [ints(numSegments, 'the number of segments')[0], ...x.shape.slice(ids.shape.length)]},
  ],
  // The shape attribute is the variable's, so that reading it knows it.
  VarHandleOp: (_, {shape}) => [{type: 'resource', shape: sizesOf(shape)}],
};

/** Ops with a rule. */
export const ruledOps: readonly string[] = Object.keys(shapeRules);

/** Which inputs of an op are shapes or sizes: a marker there is computed when the graph runs. */
export const shapeInputs: Record<string, number[]> = {
  BroadcastTo: [1],
  Fill: [0],
  OneHot: [1],
  Range: [1],
  Reshape: [1],
  ScatterNd: [2],
  Slice: [2],
  StatelessRandomUniformFullInt: [0],
  UnsortedSegmentSum: [2],
};

/** Throws when the op has no rule, or when its inputs do not fit. */
export function inferOutputs(op: string, inputs: Value[], attributes: Attributes, numOutputs: number): OutputSpec[] {
  const rule = shapeRules[op];
  if (!rule) throw new Error('it has no shape rule in shapes.ts');
  return rule(inputs, attributes, numOutputs);
}

function every(ops: string[], rule: Rule): Record<string, Rule> {
  return Object.fromEntries(ops.map(op => [op, rule]));
}

function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({length: rank}, (_, i) => {
    const [m, n] = [a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1];
    if (m !== n && m !== 1 && n !== 1) throw new Error(`[${a}] and [${b}] do not broadcast`);
    return m === 1 ? n : m;
  });
}

function lastTwo(shape: number[], isTransposed: boolean): [number, number] {
  const [rows, columns] = shape.slice(-2);
  return isTransposed ? [columns, rows] : [rows, columns];
}

function ints(value: Value, what: string): number[] {
  const found = constantNumbers(value);
  if (!found) throw new Error(`${what} must be a constant`);
  return found;
}

const product = (sizes: readonly number[]) => sizes.reduce((result, size) => result * size, 1);
const wrap = (axis: number, rank: number) => (axis < 0 ? axis + rank : axis);
const isTrue = (attribute: Attribute | undefined) => attribute?.$case === 'b' && attribute.value;

function sizesOf(attribute: Attribute): number[] {
  return attribute.$case === 'shape' ? attribute.value.dim.map(({size}) => size) : [];
}

function typeOf(attribute: Attribute | undefined): DataType {
  if (attribute?.$case !== 'type') throw new Error('an attribute must name a data type');
  return dataTypeOf(attribute.value);
}
