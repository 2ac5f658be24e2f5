// Mixed precision as a pass over a recorded float32 graph: matrix products take and give bfloat16, what only moves or scales their results
// stays in it, and everything else (softmax sums, norms, loss, optimizer, weights) is computed in float32. PyTorch's autocast draws the same
// line.
import {castTo, type DataType, makeNode, type Node, typeAttribute, type Value} from './graph.js';
import type {Transform} from './rewrite.js';

interface Rule {
  /** Inputs and outputs that change their type. */
  inputs: number[];
  outputs: number[];
  /** Attribute that names the type. */
  attribute: string;
  /** Changed wherever it stands; otherwise only where one of the inputs is bfloat16 already. */
  isAlways?: boolean;
}

const product: Rule = {inputs: [0, 1], outputs: [0], attribute: 'T', isAlways: true};
const unary: Rule = {inputs: [0], outputs: [0], attribute: 'T'};

const rules: Record<string, Rule> = {
  MatMul: product,
  BatchMatMulV2: product,
  BiasAdd: {...unary, inputs: [0, 1]},
  BiasAddGrad: unary,
  Reshape: unary,
  Transpose: unary,
  Unpack: {...unary, outputs: [0, 1, 2]},
  Identity: unary,
  GatherV2: {...unary, attribute: 'Tparams'},
  ScatterNd: {...unary, inputs: [1]},
  FtftDropout: unary,
  FtftGelu: unary,
  FtftGeluGrad: {...unary, inputs: [0, 1]},
  FtftAddNorm: {...unary, outputs: []},
  // Its first output is the gradient of a product's result.
  FtftAddNormGrad: {inputs: [], outputs: [0], attribute: 'T', isAlways: true},
  FtftAttention: unary,
  FtftAttentionGrad: {...unary, inputs: [0, 1, 2]},
  FtftRelativeAttention: {...unary, inputs: [0, 3, 4]},
  // The gradients of its tables are sums over many tokens, and stay float32.
  FtftRelativeAttentionGrad: {...unary, inputs: [0, 1, 2, 6, 7]},
};

export const autocast: Transform = (node, inputs) => {
  const rule = rules[node.op];
  const isChanged =
    rule && isFloat(node, rule) && (rule.isAlways || rule.inputs.some(i => inputs[i].type === 'bfloat16'));
  const type = (recorded: Value, isOurs: boolean): DataType => (isChanged && isOurs ? 'bfloat16' : recorded.type);
  const cast = inputs.map((input, i) => castTo(type(node.inputs[i], rule?.inputs.includes(i) ?? false), input));
  if (!isChanged && cast.every((input, i) => input === inputs[i])) return undefined;
  const attributes = isChanged ? {...node.attributes, [rule.attribute]: typeAttribute('bfloat16')} : node.attributes;
  const outputs = node.outputs.map((output, i) => ({
    ...output,
    type: type(output, rule?.outputs.includes(i) ?? false),
  }));
  return makeNode(node.op, attributes, cast, outputs, {content: node.content}).outputs;
};

/** Integers of the same op stay what they are. */
const isFloat = (node: Node, {inputs, outputs}: Rule): boolean =>
  inputs.every(i => node.inputs[i].type === 'float32') && outputs.every(i => node.outputs[i]?.type !== 'int32');
