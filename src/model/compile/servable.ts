// A recorded function and the values of its variables → a SavedModel folder that any TensorFlow runs: TensorFlow Serving, Triton, Python.
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {NamedTensor} from '../../data/types.js';
import {type Dimensions, knownShape} from './dimensions.js';
import type {SignatureDef, TensorInfo} from './gen/tensorflow.js';
import {dataTypes, type Node, reachable} from './graph.js';
import {joining} from './join-variables.js';
import {type FunctionSpec, recordFunction} from './program.js';
import {rewrite} from './rewrite.js';
import {encode} from './saved-model.js';
import {restoring, writeVariables} from './variable-files.js';

/** The signature that servers call when a request names none. */
const signature = 'serving_default';

/**
 * Fills a folder that is new or empty: the graph in saved_model.pb, the values in variables/, in files of their own because a graph's bytes end at 2 GB.
 * Values by the name of their variable.
 */
export function writeServable(folder: string, spec: FunctionSpec, values: ReadonlyMap<string, NamedTensor>): void {
  const {results, placeholders, dimensions} = recordFunction(signature, spec);
  const recorded = [...results, ...placeholders];
  const {pass, tensorOf} = joining(reachable(recorded));
  const roots = recorded.map(rewrite(recorded, pass).node);
  const handles = reachable(roots).filter(({op}) => op === 'VarHandleOp');
  const {roots: more, told} = restoring(handles);
  const signatureDef: SignatureDef = {
    inputs: tensorInfos(placeholders, `${signature}/in/`, dimensions),
    outputs: tensorInfos(results, `${signature}/`, dimensions),
    methodName: 'tensorflow/serving/predict',
  };
  mkdirSync(join(folder, 'variables'), {recursive: true});
  const bytes = encode(reachable([...roots, ...more]), {...told, signatureDef: {[signature]: signatureDef}});
  writeFileSync(join(folder, 'saved_model.pb'), bytes);
  writeVariables(
    join(folder, 'variables', 'variables'),
    handles.map(handle => tensorOf(handle, values)),
  );
}

/** By the node's name without its beginning. */
function tensorInfos(nodes: Node[], beginning: string, dimensions: Dimensions): Record<string, TensorInfo> {
  const infos = nodes.map(({name = '', outputs: [{type, shape}]}) => {
    const dim = knownShape(shape, dimensions).map(size => ({size}));
    return [name.slice(beginning.length), {name: `${name}:0`, dtype: dataTypes[type], tensorShape: {dim}}];
  });
  return Object.fromEntries(infos);
}
