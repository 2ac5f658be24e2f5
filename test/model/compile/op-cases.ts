// Each op with a shape rule, used on small tensors in the ways in which its rule could go wrong; ordinary code, to be run and to be recorded.
import {type AttributeValue, execute, type Tensor, tf} from '../../../src/model/tensorflow.js';
import {variableOf} from '../../../src/model/variables.js';

/** Results of the op, one or more uses of it. */
type Case = () => Tensor[];

const float = {type: 'float32'} as const;
const int = {type: 'int32'} as const;
const T = {T: float};

/** Positive numbers below 2, all different. */
const floats = (...shape: number[]) => filled(shape, i => ((i * 7 + 3) % 23) / 12 + i / 1000, 'float32');
const ints = (...shape: number[]) => filled(shape, i => (i * 5 + 1) % 7, 'int32');
const bools = (...shape: number[]) => tf.greater(ints(...shape), 2);
const vector = (...values: number[]) => tf.tensor1d(values, 'int32');
const bits = (...shape: number[]) => filled(shape, i => i % 2, 'int32');
const scalar = (value: number) => tf.scalar(value, 'int32');

function filled(shape: number[], value: (i: number) => number, type: 'float32' | 'int32'): Tensor {
  return tf.tensor(
    Array.from({length: tf.util.sizeFromShape(shape)}, (_, i) => value(i)),
    shape,
    type,
  );
}

const one = (op: string, attributes: Record<string, AttributeValue>, inputs: Tensor[]) =>
  execute(op, attributes, inputs)[0];

const unary =
  (op: string): Case =>
  () => [one(op, T, [floats(2, 3)])];
const binary =
  (op: string): Case =>
  () => [one(op, T, [floats(2, 1, 3), floats(4, 1)]), one(op, T, [floats(3), tf.scalar(2)])];
const bitwise =
  (op: string): Case =>
  () => [one(op, {T: int}, [ints(3, 1), ints(2)])];
const gradient =
  (op: string): Case =>
  () => [one(op, T, [floats(2, 3), floats(2, 3)])];
const reduction =
  (op: string): Case =>
  () => {
    const over = (keepDims: boolean, ...axes: number[]) =>
      one(op, {...T, Tidx: int, keep_dims: {bool: keepDims}}, [floats(2, 3, 4), vector(...axes)]);
    return [over(false, 1), over(true, -1), over(false, 0, 2), over(true, 0, 1, 2), over(false, -3)];
  };

let numVariables = 0;

/** A variable, after some use of it. */
const variable = (use: (handle: Tensor) => void): Tensor => {
  const {handle, assign, read} = variableOf('v', [2, 3], `case ${numVariables++}`);
  assign(floats(2, 3));
  use(handle);
  return read();
};
const update =
  (op: string): Case =>
  () => [variable(handle => execute(op, {dtype: float}, [handle, tf.square(floats(2, 3))], 0))];

const each = (ops: string[], make: (op: string) => Case): Record<string, Case> =>
  Object.fromEntries(ops.map(op => [op, make(op)]));

export const cases: Record<string, Case> = {
  ...each(['Abs', 'Elu', 'Erf', 'Exp', 'Identity', 'Log', 'LogSoftmax', 'Neg', 'Relu', 'Rsqrt', 'Selu'], unary),
  ...each(['Sigmoid', 'Softmax', 'Sqrt', 'Square', 'Tanh', 'ZerosLike', 'OnesLike', 'Reciprocal', 'Sign'], unary),
  ...each(['StopGradient', 'L2Loss', 'FtftGelu'], unary),
  ...each(['ReluGrad', 'TanhGrad', 'RsqrtGrad', 'FtftGeluGrad'], gradient),
  ...each(['Add', 'AddV2', 'Sub', 'Mul', 'RealDiv', 'Div', 'DivNoNan', 'FloorDiv', 'Maximum', 'Minimum'], binary),
  ...each(['Pow', 'SquaredDifference', 'Greater', 'GreaterEqual', 'Less', 'LessEqual', 'Equal', 'NotEqual'], binary),
  ...each(['LeftShift', 'RightShift', 'BitwiseAnd', 'BitwiseOr', 'BitwiseXor'], bitwise),
  ...each(['Sum', 'Mean', 'Max', 'Min'], reduction),
  ...each(['AssignVariableOp', 'AssignAddVariableOp', 'AssignSubVariableOp'], update),
  AddN: () => [one('AddN', {...T, N: {int: 3}}, [floats(2, 3), floats(2, 3), floats(2, 3)])],
  BatchMatMulV2: () => {
    const product = (a: Tensor, b: Tensor, adjointA: boolean, adjointB: boolean) =>
      one('BatchMatMulV2', {...T, adj_x: {bool: adjointA}, adj_y: {bool: adjointB}}, [a, b]);
    return [
      product(floats(2, 3, 4), floats(2, 4, 5), false, false),
      product(floats(2, 1, 4, 3), floats(6, 5, 4), true, true),
    ];
  },
  BiasAdd: () => [one('BiasAdd', T, [floats(2, 3), floats(3)])],
  BiasAddGrad: () => [one('BiasAddGrad', T, [floats(2, 3)]), one('BiasAddGrad', T, [floats(2, 3, 4)])],
  BroadcastTo: () => [one('BroadcastTo', {...T, Tidx: int}, [floats(3, 1), vector(2, 3, 4)])],
  Cast: () => {
    const cast = (x: Tensor, SrcT: AttributeValue, DstT: AttributeValue) =>
      one('Cast', {SrcT, DstT, Truncate: {bool: false}}, [x]);
    return [cast(floats(2, 3), float, int), cast(bools(3), {type: 'bool'}, float), cast(ints(2), int, {type: 'bool'})];
  },
  ConcatV2: () => {
    const concat = (axis: number, ...parts: Tensor[]) =>
      one('ConcatV2', {...T, Tidx: int, N: {int: parts.length}}, [...parts, scalar(axis)]);
    return [concat(0, floats(2, 3), floats(1, 3), floats(4, 3)), concat(-1, floats(2, 1, 3), floats(2, 1, 2))];
  },
  Cumsum: () => {
    const sum = (axis: number, exclusive: boolean) =>
      one('Cumsum', {...T, Tidx: int, exclusive: {bool: exclusive}, reverse: {bool: false}}, [
        floats(2, 3),
        scalar(axis),
      ]);
    return [sum(1, false), sum(-2, true)];
  },
  DynamicPartition: () => {
    const partition = (x: Tensor, parts: Tensor, num: number) =>
      execute('DynamicPartition', {...T, num_partitions: {int: num}}, [x, parts], num);
    return [...partition(floats(5, 2), vector(0, 2, 0, 2, 2), 3), ...partition(floats(2, 3), bits(2, 3), 2)];
  },
  EnsureShape: () => [one('EnsureShape', {...T, shape: {shape: [-1, 3]}}, [floats(2, 3)])],
  // As tfjs asks for it, without the op's types.
  ExpandDims: () => [0, 1, 2, -1, -2].map(axis => tf.expandDims(floats(2, 3), axis)),
  Fill: () => [one('Fill', {...T, index_type: int}, [vector(2, 3), tf.scalar(5)])],
  FtftAddNorm: () => [...addNorm(true), ...addNorm(false)],
  FtftAddNormGrad: () => {
    const [, normal, inverse] = addNorm(true);
    const inputs = [floats(2, 8), normal, inverse, floats(8), vector(1, 2)];
    return execute('FtftAddNormGrad', {...T, rate: {float: 0.5}}, inputs, 4);
  },
  FtftAttention: () => attention(),
  FtftAttentionGrad: () => {
    const [context, logSums] = attention();
    const inputs = [floats(5, 8), context, floats(5, 24), logSums, vector(0, 2, 5), vector(1, 2)];
    return execute('FtftAttentionGrad', attentionAttributes, inputs);
  },
  FtftRelativeAttention: () => relativeAttention(),
  FtftRelativeAttentionGrad: () => {
    const [context, logSums] = relativeAttention();
    const inputs = [floats(5, 8), context, floats(5, 24), logSums, vector(0, 2, 5), vector(1, 2), ...relativeTables()];
    return execute('FtftRelativeAttentionGrad', attentionAttributes, inputs, 3);
  },
  FtftDropout: () => [one('FtftDropout', {...T, rate: {float: 0.5}}, [floats(4, 8), vector(3, 4)])],
  GatherV2: () => {
    const gather = (x: Tensor, indices: Tensor, axis: number, batchDims = 0) => {
      const types = {Tparams: float, Tindices: int, Taxis: int};
      return one('GatherV2', {...types, batch_dims: {int: batchDims}}, [x, indices, scalar(axis)]);
    };
    const pairs = tf.tensor2d([2, 0, 1, 1], [2, 2], 'int32');
    return [
      gather(floats(3, 4), vector(2, 0, 1, 2, 2), 0),
      gather(floats(4, 3, 5), pairs, -2),
      gather(floats(2, 3, 4), pairs, 1, 1),
    ];
  },
  LogicalAnd: () => [one('LogicalAnd', {}, [bools(2, 1), bools(3)])],
  MatMul: () => {
    const product = (a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean) =>
      one('MatMul', {...T, transpose_a: {bool: transposeA}, transpose_b: {bool: transposeB}}, [a, b]);
    return [
      product(floats(2, 3), floats(3, 4), false, false),
      product(floats(3, 2), floats(3, 4), true, false),
      product(floats(2, 3), floats(4, 3), false, true),
    ];
  },
  OneHot: () => {
    const inputs = [ints(2, 3), scalar(5), tf.scalar(1), tf.scalar(0)];
    return [one('OneHot', {...T, TI: int, axis: {int: -1}}, inputs)];
  },
  Pack: () => [0, 1, -1].map(axis => one('Pack', {...T, N: {int: 2}, axis: {int: axis}}, [floats(2, 3), floats(2, 3)])),
  Range: () => {
    const computed = tf.max(vector(3, 6, 4));
    return [
      one('Range', {Tidx: int}, [2, 7, 1].map(scalar)),
      one('Range', {Tidx: int}, [scalar(2), computed, scalar(1)]),
      one('Range', {Tidx: int}, [tf.neg(computed), scalar(0), scalar(1)]),
    ];
  },
  ReadVariableOp: () => [variable(() => {})],
  Reshape: () => {
    const reshape = (...shape: number[]) => one('Reshape', {...T, Tshape: int}, [floats(2, 6), vector(...shape)]);
    return [reshape(3, 4), reshape(3, -1, 2), reshape(-1)];
  },
  ResourceApplyAdam: () => [
    variable(handle => {
      const [m, v] = ['m', 'v'].map(name => variableOf(name, [2, 3], `case ${numVariables++}`));
      for (const moment of [m, v]) moment.assign(floats(2, 3));
      const numbers = [0.5, 0.25, 0.1, 0.9, 0.99, 1e-6].map(value => tf.scalar(value));
      const attributes = {...T, use_locking: {bool: false}, use_nesterov: {bool: false}};
      execute('ResourceApplyAdam', attributes, [handle, m.handle, v.handle, ...numbers, floats(2, 3)], 0);
    }),
  ],
  ScatterNd: () => {
    const inputs = [tf.tensor2d([3, 0], [2, 1], 'int32'), floats(2, 4), vector(5, 4)];
    return [one('ScatterNd', {...T, Tindices: int}, inputs)];
  },
  Select: () => [one('Select', T, [bools(2, 3), floats(2, 3), tf.neg(floats(2, 3))])],
  SelectV2: () => [one('SelectV2', T, [bools(3), floats(2, 1), tf.scalar(9)])],
  Slice: () => {
    const slice = (begin: Tensor, size: Tensor) => one('Slice', {...T, Index: int}, [floats(3, 4), begin, size]);
    return [slice(vector(1, 0), vector(2, 3)), slice(vector(1, 2), vector(-1, -1))];
  },
  SplitV: () => {
    const split = (axis: number, ...lengths: number[]) => {
      const attributes = {...T, Tlen: int, num_split: {int: lengths.length}};
      return execute('SplitV', attributes, [floats(3, 6), vector(...lengths), scalar(axis)], lengths.length);
    };
    return [...split(1, 1, 2, 3), ...split(-2, 2, 1)];
  },
  StatelessRandomUniformFullInt: () => {
    const attributes = {dtype: int, T: int, Tseed: int};
    return [one('StatelessRandomUniformFullInt', attributes, [vector(2, 3), vector(4, 5)])];
  },
  Transpose: () => [one('Transpose', {...T, Tperm: int}, [floats(2, 3, 4), vector(2, 0, 1)])],
  Unpack: () =>
    [0, 2, -2].flatMap(axis => {
      const num = [2, 3, 4].at(axis)!;
      return execute('Unpack', {...T, num: {int: num}, axis: {int: axis}}, [floats(2, 3, 4)], num);
    }),
  UnsortedSegmentSum: () => {
    const sum = (x: Tensor, ids: Tensor) => {
      const types = {...T, Tindices: int, Tnumsegments: int};
      return one('UnsortedSegmentSum', types, [x, ids, scalar(4)]);
    };
    return [sum(floats(5, 2), vector(3, 0, 3, 1, 0)), sum(floats(2, 2, 3), tf.tensor2d([0, 3, 2, 3], [2, 2], 'int32'))];
  },
  VarHandleOp: () => [variable(() => {})],
};

function addNorm(forGradient: boolean): Tensor[] {
  const inputs = [floats(2, 8), tf.neg(floats(2, 8)), floats(8), floats(8), vector(1, 2)];
  return execute(
    'FtftAddNorm',
    {...T, rate: {float: 0.5}, epsilon: {float: 1e-3}, for_gradient: {bool: forGradient}},
    inputs,
    3,
  );
}

const attentionAttributes = {...T, rate: {float: 0.5}, num_heads: {int: 2}};

/** Over texts of 2 and 3 tokens. */
function attention(): Tensor[] {
  return execute('FtftAttention', attentionAttributes, [floats(5, 24), vector(0, 2, 5), vector(1, 2)], 2);
}

/** Embeddings of three slots, and the slots of distances -3 to 3. */
function relativeTables(): Tensor[] {
  return [floats(3, 8), floats(3, 8), vector(0, 0, 0, 1, 2, 2, 2)];
}

function relativeAttention(): Tensor[] {
  const inputs = [floats(5, 24), vector(0, 2, 5), vector(1, 2), ...relativeTables()];
  return execute('FtftRelativeAttention', attentionAttributes, inputs, 2);
}
