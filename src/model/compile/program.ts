// Functions of ordinary tfjs code that share variables → one graph in TensorFlow; a call of a function is one native call.
import {handleOf, nativeBinding, type Tensor, tensorOfHandle, tf} from '../tensorflow.js';
import {type Dimensions, markers} from './dimensions.js';
import {makeNode, type Node, typeAttribute} from './graph.js';
import {Recorder} from './recorder.js';
import {rewrite, type Transform} from './rewrite.js';
import {loadGraph} from './saved-model.js';

/** An input of a function: each size is a number, or the name of a size that every call brings along. */
export interface InputSpec {
  type: 'float32' | 'int32';
  shape: (number | string)[];
}

export interface FunctionSpec {
  inputs: Record<string, InputSpec>;
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
      const feeds = Object.keys(inputs).map(input => `${name}/in/${input}:0`);
      const handles = Object.values(inputs).map(handleOf);
      const fetches = names[name].map(result => `${result}:0`);
      const outputs = nativeBinding.runSavedModel(graph, handles, feeds.join(','), fetches.join(','));
      return Object.fromEntries(
        names[name].map((result, i) => [result.slice(name.length + 1), tensorOfHandle(outputs[i])]),
      );
    },
    dispose: () => nativeBinding.deleteSavedModel(graph),
  };
}

/** The function's results as nodes of their own; the first comes after all updates of variables. */
function recordFunction(name: string, {inputs, body}: FunctionSpec): {results: Node[]; placeholders: Node[]} {
  const sizes = Object.values(inputs).flatMap(({shape}) => shape.filter(size => typeof size === 'string'));
  const dimensions = markers([...new Set(sizes)]);
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
  return {results, placeholders};
}

const asRecorded: Transform = () => undefined;
