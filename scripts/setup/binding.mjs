// libtensorflow in the cache + the npm package's sources → lib/napi-v8/tfjs_binding.node. It speaks Node-API, so one build
// serves every Node; another libtensorflow or another version of the npm package asks for a new one.
import {existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {remove, run, SetupError} from './command.mjs';
import {python} from './prerequisites.mjs';

export const packageFolder = root => join(root, 'node_modules', '@tensorflow', 'tfjs-node-gpu');
export const bindingFile = root => join(packageFolder(root), 'lib', 'napi-v8', 'tfjs_binding.node');
const stampFile = root => join(packageFolder(root), 'deps', '.ftft-stamp');

export function isBindingBuilt(root, libraries) {
  return (
    [stampFile(root), bindingFile(root), join(packageFolder(root), 'deps', 'lib', 'libtensorflow_cc.so.2')].every(
      file => existsSync(file),
    ) && readFileSync(stampFile(root), 'utf8') === libraries
  );
}

export async function buildBinding(root, libraries, isOffline) {
  const folder = packageFolder(root);
  rmSync(stampFile(root), {force: true});
  linkLibraries(join(folder, 'deps'), libraries);
  const headers = nodeHeaders();
  if (!headers && isOffline) {
    throw new SetupError(
      `Cannot compile the TensorFlow binding: FTFT_OFFLINE is set and Node's headers are not beside ${process.execPath}; use Node as its own archive has it (bin/ and include/), or run once without FTFT_OFFLINE`,
    );
  }
  const modulePath = dirname(bindingFile(root));
  const args = [
    join(root, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js'),
    'rebuild',
    '--module_name=tfjs_binding',
    `--module_path=${modulePath}`,
    `--module=${bindingFile(root)}`,
    '--napi_version=9',
    '--napi_build_version=8',
    '--node_napi_label=napi-v8',
    `--python=${python}`,
    ...(headers ? [`--nodedir=${headers}`] : []),
  ];
  await run('Compiling the TensorFlow binding', process.execPath, args, {cwd: folder});
  remove(join(folder, 'build'));
  const load = `require(${JSON.stringify(bindingFile(root))})`;
  const env = {...process.env, TF_CPP_MIN_LOG_LEVEL: '2'};
  await run('Loading the TensorFlow binding', process.execPath, ['-e', load], {env});
  writeFileSync(stampFile(root), libraries);
}

/**
 * The loader looks beside the path it was given and does not follow links: libtensorflow's own search path
 * `$ORIGIN/../nvidia/…` therefore means deps/nvidia, which links to the CUDA libraries of a GPU build.
 */
function linkLibraries(deps, libraries) {
  remove(join(deps, 'lib'));
  mkdirSync(join(deps, 'lib'), {recursive: true});
  const links = {
    'lib/libtensorflow.so': 'tensorflow/libtensorflow_cc.so.2',
    'lib/libtensorflow_cc.so.2': 'tensorflow/libtensorflow_cc.so.2',
    'lib/libtensorflow_framework.so': 'tensorflow/libtensorflow_framework.so.2',
    'lib/libtensorflow_framework.so.2': 'tensorflow/libtensorflow_framework.so.2',
    include: 'tensorflow/include',
    nvidia: 'nvidia',
  };
  for (const [link, target] of Object.entries(links)) {
    const path = join(deps, link);
    if (lstatSync(path, {throwIfNoEntry: false})) remove(path);
    if (existsSync(join(libraries, target))) symlinkSync(join(libraries, target), path);
  }
}

/** Node's own headers, where its archive and its Linux packages put them; node-gyp fetches them otherwise. */
function nodeHeaders() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? prefix : undefined;
}
