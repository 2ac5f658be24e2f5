// Set-up's build of the fused ops, tried on sources of a few lines beside the real TensorFlow.
import assert from 'node:assert/strict';
import {existsSync, linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import {type TestContext, test} from 'node:test';
import {programs, root, runNode, startNode, temporaryFolder, until, withModule} from './setup-process.js';

const installed = join(root, 'node_modules', '@tensorflow', 'tfjs-node-gpu');
const realSources = join(root, 'src', 'model', 'kernels');

/** `level` is an inline function that every object file holds; loading fails unless it is the one that every processor can run. */
const sources = {
  'loops.h': `#pragma once
    __attribute__((noinline)) inline int level() {
    #if defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
      return 512;
    #elif defined(__AVX2__)
      return 256;
    #else
      return 128;
    #endif
    }`,
  'loops.cc': `#include "loops.h"
    namespace FTFT_INSTRUCTIONS { int number() { return level(); } }`,
  'kernels.cc': `#include "loops.h"
    #include <cstdlib>
    #include "tensorflow/c/c_api.h"
    namespace baseline { int number(); }
    #if defined(__x86_64__)
    namespace avx2 { int number(); }
    namespace avx512 { int number(); }
    const int others = avx2::number() + avx512::number();
    #else
    const int others = 256;
    #endif
    const bool isLoaded = baseline::number() + others == 3 * 128 || (std::abort(), false);
    extern "C" __attribute__((visibility("default"))) void* napi_register_module_v1(void*, void* exports) { return exports; }`,
};

function project(t: TestContext) {
  const folder = temporaryFolder(t);
  const sourceFolder = join(folder, 'src', 'model', 'kernels');
  const packageFolder = join(folder, 'node_modules', '@tensorflow', 'tfjs-node-gpu');
  const libraryFolder = join(packageFolder, 'lib', 'napi-v8');
  mkdirSync(sourceFolder, {recursive: true});
  mkdirSync(libraryFolder, {recursive: true});
  symlinkSync(join(installed, 'deps'), join(packageFolder, 'deps'));
  symlinkSync(join(installed, 'lib', 'napi-v8', 'tfjs_binding.node'), join(libraryFolder, 'tfjs_binding.node'));
  const write = (name: string, text: string) => writeFileSync(join(sourceFolder, name), text);
  for (const [name, text] of Object.entries(sources)) write(name, text);

  const script = (code: string, version = '2.21.0') =>
    withModule('kernels.mjs', code.replaceAll('PROJECT', `${JSON.stringify(folder)}, 'cpu-${version}'`));
  const compilers = (name: string, script: string) => ({
    CXX: name,
    PATH: programs(join(folder, 'bin'), {[name]: script}) + delimiter + process.env.PATH,
  });
  return {
    folder,
    write,
    compilers,
    library: join(libraryFolder, 'ftft_kernels.node'),
    buildScript: script('await setup.buildKernels(PROJECT)'),
    isBuilt: async (version?: string) =>
      (await runNode(script('console.log(setup.areKernelsBuilt(PROJECT))', version))).stdout === 'true\n',
    /** Everything beside TensorFlow's binding. */
    written: () =>
      readdirSync(join(packageFolder, 'lib'), {recursive: true, encoding: 'utf8'})
        .filter(name => !name.endsWith('tfjs_binding.node') && name !== 'napi-v8')
        .sort(),
  };
}

test('the fused ops are built once, again when a source changes, and replaced beneath nobody', async t => {
  const {write, library, buildScript, isBuilt, written, folder} = project(t);
  assert.equal(await isBuilt(), false);
  const first = await runNode(buildScript);
  assert.equal(first.code, 0, first.stderr);
  assert.equal(await isBuilt(), true);
  assert.equal(await isBuilt('2.22.0'), false, 'another TensorFlow needs another build');
  assert.deepEqual(written(), ['napi-v8/ftft_kernels.node', 'napi-v8/ftft_kernels.stamp']);

  const opened = join(folder, 'opened');
  linkSync(library, opened);
  const before = readFileSync(opened);
  write('loops.h', `${sources['loops.h']}\ninline const char* version() { return "changed"; }`);
  assert.equal(await isBuilt(), false, 'a source has changed');
  write('more.cc', '#include "loops.h"\nextern const char* const text; const char* const text = version();');
  const second = await runNode(buildScript);
  assert.equal(second.code, 0, second.stderr);
  assert.equal(await isBuilt(), true);
  assert.ok(readFileSync(library).includes('changed'), 'every source is linked');
  assert.ok(readFileSync(opened).equals(before), 'the file that a process has open stays as it was');
});

test('an interrupted build of the fused ops leaves no library, and the next one begins anew', async t => {
  const {folder, compilers, buildScript, isBuilt, written} = project(t);
  const stalls = compilers('g++', `echo > ${folder}/begun; exec sleep 60`);
  const interrupted = startNode(buildScript, stalls);
  await until('the compiler has begun', () => existsSync(join(folder, 'begun')));
  interrupted.child.kill('SIGTERM');
  assert.equal(await interrupted.ended, 143);
  assert.equal(await isBuilt(), false);
  assert.ok(written().every(name => name.startsWith('ftft_kernels.partial')));

  const {code, stderr} = await runNode(buildScript);
  assert.equal(code, 0, stderr);
  assert.deepEqual(written(), ['napi-v8/ftft_kernels.node', 'napi-v8/ftft_kernels.stamp']);
});

test('a compile error names the source and ends the other compiler; the library of before stays, as stale', async t => {
  const {folder, write, compilers, library, buildScript, isBuilt} = project(t);
  writeFileSync(library, 'library of before');
  write('loops.cc', 'namespace FTFT_INSTRUCTIONS { int number() { return nonsense; } }');
  const slow = compilers(
    'slow-g++',
    `case "$*" in *kernels.cc*) echo $$ > ${folder}/pid; exec sleep 60;; *) exec g++ "$@";; esac`,
  );
  const {code, stderr} = await runNode(buildScript, slow);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /Compiling loops\.cc for baseline failed \(exit status 1\):\n.*error: .nonsense. was not declared/s,
  );
  assert.equal(await isBuilt(), false);
  assert.equal(readFileSync(library, 'utf8'), 'library of before');
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
  await until('the other compiler has ended', () => !existsSync(`/proc/${pid}`));
});

test('a library that cannot be loaded is not installed', async t => {
  const {write, buildScript, written} = project(t);
  write('more.cc', '#include <cstdlib>\nconst bool isLoaded = (std::abort(), false);');
  const {code, stderr} = await runNode(buildScript);
  assert.equal(code, 1);
  assert.match(stderr, /Loading the fused ops failed \(SIGABRT\)/);
  assert.ok(written().every(name => name.startsWith('ftft_kernels.partial')));
});

test('loops are compiled for no instructions that the library does not ask the processor for', async () => {
  const {stdout} = await runNode(
    withModule('kernels.mjs', 'console.log(Object.values(setup.instructionSets.x64).flat().join(" "))'),
  );
  const text = readdirSync(realSources)
    .map(name => readFileSync(join(realSources, name), 'utf8'))
    .join('\n');
  const flags = stdout.trim().split(' ');
  assert.ok(flags.length > 1);
  for (const flag of flags) {
    assert.ok(text.includes(`__builtin_cpu_supports("${flag.replace('-m', '')}")`), `nobody asks for ${flag}`);
  }
});

test('the image has the sources that set-up compiles before it runs set-up', () => {
  const beforeSetUp = readFileSync(join(root, 'Dockerfile'), 'utf8').split('RUN node scripts/setup.mjs')[0];
  assert.match(beforeSetUp, /^COPY src\/model\/kernels src\/model\/kernels$/m);
});
