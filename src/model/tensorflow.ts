// The one import of the tensor library. Out: `tf`, and `execute`, which runs a TensorFlow op by its own name, for ops that tfjs has no
// function for.
import {existsSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import util from 'node:util';
import type {Tensor} from '@tensorflow/tfjs-node-gpu';

export type {Tensor} from '@tensorflow/tfjs-node-gpu';

type TensorFlow = typeof import('@tensorflow/tfjs-node-gpu');

// Both happen before the import below, hence `require`. TensorFlow writes its start-up notes to stderr unless told not to, and tfjs-node calls
// two functions that Node 23 removed.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
const legacy = util as typeof util & {isNullOrUndefined?: unknown; isArray?: unknown};
legacy.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
legacy.isArray ??= Array.isArray;

const require = createRequire(import.meta.url);
export const tf = require('@tensorflow/tfjs-node-gpu') as TensorFlow;

/** An attribute of an op as the native binding takes it; `type` is one of its TF_ATTR_… numbers. */
export interface NativeAttribute {
  name: string;
  type: number;
  value: unknown;
}

/** An output of an op as the native binding gives it: the handle of a tensor, its TensorFlow data type and its shape. */
export interface NativeTensor {
  id: number;
  dtype: number;
  shape: number[];
}

type BindingNumber =
  | 'TF_ATTR_TYPE'
  | 'TF_ATTR_BOOL'
  | 'TF_ATTR_INT'
  | 'TF_ATTR_FLOAT'
  | 'TF_ATTR_SHAPE'
  | 'TF_ATTR_STRING'
  | 'TF_FLOAT'
  | 'TF_INT32'
  | 'TF_BOOL';

export type NativeBinding = Readonly<Record<BindingNumber, number>> & {
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(id: number): void;
  runSavedModel(id: number, inputs: number[], inputNames: string, outputNames: string): NativeTensor[];
};

/** The parts of tfjs-node's backend that its typings leave out. */
interface NodeBackend {
  binding: NativeBinding;
  isUsingGpuDevice: boolean;
  executeMultipleOutputs(name: string, attributes: NativeAttribute[], inputs: Tensor[], numOutputs: number): Tensor[];
  getInputTensorIds(tensors: Tensor[]): number[];
  createOutputTensor(made: NativeTensor): Tensor;
}

const backend = tf.backend() as unknown as NodeBackend;
/** TensorFlow itself. */
export const nativeBinding = backend.binding;
const binding = nativeBinding;
const dtypes = {float32: binding.TF_FLOAT, int32: binding.TF_INT32, bool: binding.TF_BOOL} as const;

/**
 * True where the ops of kernels/ can be used. Set-up builds them beside the native binding; loading them registers them. They run on the CPU,
 * so beside a GPU they would only be in the way.
 */
export const hasFusedKernels = !backend.isUsingGpuDevice && loadKernels();

function loadKernels(): boolean {
  const file = join(
    dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json')),
    'lib/napi-v8/ftft_kernels.node',
  );
  if (existsSync(file)) require(file);
  return existsSync(file);
}

/** Until the returned function is called, every op goes to this object instead of TensorFlow. */
export function replaceBinding(other: object): () => void {
  const previous = backend.binding;
  backend.binding = other as NativeBinding;
  return () => {
    backend.binding = previous;
  };
}

/** The binding's number for a tensor. */
export const handleOf = (tensor: Tensor): number => backend.getInputTensorIds([tensor])[0];

/** A tensor, in the current tidy, for a number that the binding handed out. */
export const tensorOfHandle = (made: NativeTensor): Tensor => backend.createOutputTensor(made);

/** Value of an op attribute by kind, as TensorFlow's op definition asks for it. */
export type AttributeValue =
  | {type: keyof typeof dtypes}
  | {bool: boolean}
  | {int: number}
  | {float: number}
  | {shape: number[]}
  | {string: string};

/**
 * Runs one op of TensorFlow's op registry, outside of the gradient tape: give it a gradient with tf.customGrad.
 * Its tensors belong to the current tidy.
 */
export function execute(
  name: string,
  attributes: Record<string, AttributeValue>,
  inputs: Tensor[],
  numOutputs = 1,
): Tensor[] {
  const list = Object.entries(attributes).map(([key, value]) => attribute(key, value));
  return backend.executeMultipleOutputs(name, list, inputs, numOutputs);
}

function attribute(name: string, value: AttributeValue): NativeAttribute {
  if ('type' in value) return {name, type: binding.TF_ATTR_TYPE, value: dtypes[value.type]};
  if ('bool' in value) return {name, type: binding.TF_ATTR_BOOL, value: value.bool};
  if ('int' in value) return {name, type: binding.TF_ATTR_INT, value: value.int};
  if ('float' in value) return {name, type: binding.TF_ATTR_FLOAT, value: value.float};
  if ('shape' in value) return {name, type: binding.TF_ATTR_SHAPE, value: value.shape};
  return {name, type: binding.TF_ATTR_STRING, value: value.string};
}
