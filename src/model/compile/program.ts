// Functions of ordinary tfjs code that share variables → one graph in TensorFlow; a call of a function is one native call.
import {nativeBinding, type Tensor, tf} from '../tensorflow.js';
import {type Dimensions, markers} from './dimensions.js';
import {makeNode, type Node, typeAttribute} from './graph.js';
import {Recorder} from './recorder.js';
import {rewrite, type Transform} from './rewrite.js';
import {loadGraph, runGraph} from './saved-model.js';

/** An input of a function: each size is a number, or the name of a size that every call brings along. */
export interface InputSpec {
  type: 'float32' | 'int32';
  shape: (number | string)[];
}

export interface FunctionSpec {
  inputs: Record<string, InputSpec>;
  /** Named sizes that no input has: the body gives them to what it computes, by TensorFlow's EnsureShape. */
  sizes?: string[];
  /** Is run once, to be recorded. A named size is a large prime here, its marker. Results by name. */
  body: (inputs: Record<string, Tensor>, dimensions: Dimensions) => Record<string, Tensor>;
}

export interface Program {
  /** Results in the current tidy. */
  run(name: string, inputs: Record<string, Tensor>): Record<string, Tensor>;
  dispose(): void;
}

/**
 * Records every function and loads them as one graph, after a pass over it; variables of the same name are the same variable. Nothing is
 * computed, and no tensor of a variable's size is made. Throws what the recorder throws, naming op and line.
 */
export function compile(functions: Record<string, FunctionSpec>, pass: Transform = asRecorded): Program {
  const names: Record<string, string[]> = {};
  const roots: Node[] = [];
  for (const [name, spec] of Object.entries(functions)) {
    const {results, placeholders} = recordFunction(name, spec);
    names[name] = results.map(({name}) => name!);
    const kept = [...results, ...placeholders];
    roots.push(...kept.map(rewrite(kept, pass).node));
  }
  const graph = loadGraph(roots);
  return {
    run(name, inputs) {
      const fed = Object.entries(inputs).map(([input, tensor]) => [`${name}/in/${input}`, tensor] as const);
      const outputs = runGraph(graph, Object.fromEntries(fed), names[name]);
      return Object.fromEntries(names[name].map((result, i) => [result.slice(name.length + 1), outputs[i]]));
    },
    dispose: () => nativeBinding.deleteSavedModel(graph),
  };
}

export interface RecordedFunction {
  /** Nodes of their own, `name/result`; the first comes after all updates of variables. */
  results: Node[];
  /** `name/in/input` */
  placeholders: Node[];
  dimensions: Dimensions;
}

export function recordFunction(name: string, {inputs, sizes = [], body}: FunctionSpec): RecordedFunction {
  const ofInputs = Object.values(inputs).flatMap(({shape}) => shape.filter(size => typeof size === 'string'));
  const dimensions = markers([...new Set([...ofInputs, ...sizes])]);
  const recorder = new Recorder(dimensions);
  const results: Node[] = [];
  // Kept even where no result needs them, so that they can be fed.
  const placeholders: Node[] = [];
  recorder.record(() =>
    tf.tidy(() => {
      const tensors = Object.entries(inputs).map(([input, {type, shape}]) => {
        const marked = shape.map(size => (typeof size === 'string' ? dimensions[size] : size));
        return [input, recorder.placeholder(`${name}/in/${input}`, type, marked)] as const;
      });
      placeholders.push(...tensors.map(([, tensor]) => recorder.value(tensor).node));
      for (const [result, tensor] of Object.entries(body(Object.fromEntries(tensors), dimensions))) {
        const value = recorder.value(tensor);
        tensor.dispose();
        const attributes = {T: typeAttribute(value.type)};
        results.push(makeNode('Identity', attributes, [value], [value], {name: `${name}/${result}`}));
      }
    }),
  );
  results[0].after.push(...recorder.writes);
  return {results, placeholders, dimensions};
}

const asRecorded: Transform = () => undefined;
