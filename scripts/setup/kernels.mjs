// src/model/kernels + libtensorflow → lib/napi-v8/ftft_kernels.node beside TensorFlow's binding: the fused ops for the CPU. A stamp beside it
// says of what it was made: sources, flags and libtensorflow.
import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {basename, join} from 'node:path';
import {bindingFile, packageFolder} from './binding.mjs';
import {remove, run} from './command.mjs';
import {compiler} from './prerequisites.mjs';

/**
 * What loops.cc is compiled for, once each; the library picks among them when it runs. Features are named one by one rather than by a level
 * such as x86-64-v4: so they are the very ones that the library asks the processor for, and compilers from before the levels know them.
 */
export const instructionSets = {
  x64: {
    baseline: [],
    avx2: ['-mavx2', '-mfma'],
    avx512: ['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl'],
  },
  arm64: {baseline: []},
};

const compileFlags = [
  '-std=c++17',
  '-O3',
  '-fPIC',
  '-fvisibility=hidden',
  '-fno-math-errno',
  '-fno-trapping-math',
  // As libtensorflow was built: the alignment of a tensor's memory.
  '-DEIGEN_MAX_ALIGN_BYTES=64',
  // TensorFlow's headers warn. The first error is the one that says what is wrong.
  '-w',
  '-Wfatal-errors',
];

const linkFlags = ['-shared', '-Wl,-z,defs', '-Wl,-rpath,$ORIGIN/../../deps/lib'];

const numAtOnce = 2;

const sourceFolder = root => join(root, 'src', 'model', 'kernels');
const libraryFile = root => join(packageFolder(root), 'lib', 'napi-v8', 'ftft_kernels.node');
const stampFile = root => join(packageFolder(root), 'lib', 'napi-v8', 'ftft_kernels.stamp');
/** As deep as the library's own folder, so that its search path holds here too. */
const partialFolder = root => join(packageFolder(root), 'lib', 'ftft_kernels.partial');

function stampOf(root, libraries) {
  const digest = createHash('sha256');
  const add = text => digest.update(`${text.length}\n${text}`);
  add(JSON.stringify([basename(libraries), instructionSets[process.arch], compileFlags, linkFlags]));
  for (const name of sourcesOf(root)) {
    add(name);
    add(readFileSync(join(sourceFolder(root), name), 'utf8'));
  }
  return digest.digest('hex');
}

const sourcesOf = root =>
  readdirSync(sourceFolder(root))
    .filter(name => /\.(cc|h)$/.test(name))
    .sort();

export function areKernelsBuilt(root, libraries) {
  return (
    existsSync(libraryFile(root)) &&
    existsSync(stampFile(root)) &&
    readFileSync(stampFile(root), 'utf8') === stampOf(root, libraries)
  );
}

/** What was linked against another libtensorflow must not be loaded beside this one. */
export function removeKernels(root) {
  remove(stampFile(root));
  remove(libraryFile(root));
}

/** The library is replaced by renaming, once it has been loaded: a process that has the old one open keeps it. */
export async function buildKernels(root, libraries) {
  const stamp = stampOf(root, libraries);
  const partial = partialFolder(root);
  const library = join(partial, basename(libraryFile(root)));
  remove(partial);
  mkdirSync(partial, {recursive: true});
  const parts = partsOf(root);
  await inParallel(parts, part => compile(root, part, partial));
  await link(root, parts, partial, library);
  const load = [bindingFile(root), library].map(file => `require(${JSON.stringify(file)})`).join(';');
  const env = {...process.env, TF_CPP_MIN_LOG_LEVEL: '2'};
  await run('Loading the fused ops', process.execPath, ['-e', load], {env});
  writeFileSync(join(partial, 'stamp'), stamp);
  remove(stampFile(root));
  renameSync(library, libraryFile(root));
  renameSync(join(partial, 'stamp'), stampFile(root));
  remove(partial);
  return Object.keys(instructionSets[process.arch]);
}

/** Object files in the order of linking. The longest to compile come first. */
function partsOf(root) {
  const others = sourcesOf(root).filter(name => name.endsWith('.cc') && name !== 'loops.cc');
  return [
    ...others.map(source => ({what: source, source, flags: [], object: `${source}.o`})),
    // Of an inline function that several object files hold, the linker takes the first: it must be one that every processor can run.
    ...Object.entries(instructionSets[process.arch]).map(([set, flags]) => ({
      what: `loops.cc for ${set}`,
      source: 'loops.cc',
      flags: [...flags, `-DFTFT_INSTRUCTIONS=${set}`],
      object: `loops-${set}.o`,
    })),
  ];
}

async function compile(root, part, partial) {
  const include = join(packageFolder(root), 'deps', 'include');
  const source = join(sourceFolder(root), part.source);
  const object = join(partial, part.object);
  const args = [...compileFlags, ...part.flags, '-I', include, '-c', source, '-o', object];
  await run(`Compiling ${part.what}`, compiler, args);
}

async function link(root, parts, partial, library) {
  const objects = parts.map(part => join(partial, part.object));
  const tensorflow = ['-L', join(packageFolder(root), 'deps', 'lib'), '-l:libtensorflow_framework.so.2'];
  await run('Linking the fused ops', compiler, [...linkFlags, ...objects, '-o', library, ...tensorflow]);
}

async function inParallel(items, work) {
  const waiting = [...items];
  const worker = async () => {
    while (waiting.length > 0) await work(waiting.shift());
  };
  await Promise.all(Array.from({length: numAtOnce}, worker));
}
