// Named float32 state inside TensorFlow (resource variables): weights and optimizer moments. Updated in place; reading copies nothing.
import type {NamedTensor} from '../data/types.js';
import {execute, type Tensor, tf} from './tensorflow.js';

export interface Variable {
  readonly name: string;
  readonly shape: number[];
  /** Input of TensorFlow's Resource… ops. */
  readonly handle: Tensor;
  /** The current value, in the current tidy. An update while it lives makes TensorFlow copy, so dispose it first. */
  read(): Tensor;
  assign(value: Tensor): void;
  dispose(): void;
}

// TensorFlow finds variables by name, in one name space for the process.
let numCreated = 0;

/** Zeros when there are no values. */
export function createVariable(name: string, shape: number[], values?: Float32Array): Variable {
  const made = variableOf(name, shape, `${numCreated++}/${name}`);
  tf.keep(made.handle);
  const variable: Variable = {
    ...made,
    dispose() {
      execute('DestroyResourceOp', {ignore_lookup_error: {bool: true}}, [made.handle], 0);
      made.handle.dispose();
    },
  };
  if (values) assignValues(variable, values);
  else tf.tidy(() => variable.assign(tf.zeros(shape)));
  return variable;
}

/** Makes nothing but the handle, in the current tidy: the variable exists once it is assigned. */
export function variableOf(name: string, shape: number[], sharedName: string): Omit<Variable, 'dispose'> {
  const dtype = {type: 'float32'} as const;
  const attributes = {dtype, shape: {shape}, container: {string: ''}, shared_name: {string: sharedName}};
  const [handle] = execute('VarHandleOp', attributes, []);
  return {
    name,
    shape,
    handle,
    read: () => execute('ReadVariableOp', {dtype}, [handle])[0],
    assign: value => void execute('AssignVariableOp', {dtype}, [handle, value], 0),
  };
}

export function assignValues(variable: Variable, values: Float32Array): void {
  tf.tidy(() => variable.assign(tf.tensor(values, variable.shape, 'float32')));
}

/** Reads the value that the variable has when asked. */
export function asNamedTensor(variable: Variable): NamedTensor {
  const read = () => {
    // No tidy: it would look for tensors in each number of what it returns.
    const value = variable.read();
    const values = value.dataSync() as Float32Array;
    value.dispose();
    return values;
  };
  return {name: variable.name, shape: variable.shape, read};
}
