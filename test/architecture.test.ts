// The layout as tests: who may import whom, where third-party code lives, how large a file may grow.
import assert from 'node:assert/strict';
import {readdirSync, readFileSync} from 'node:fs';
import {dirname, join, relative, resolve, sep} from 'node:path';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {runtimeImports} from './support/imports.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Code that protoc writes: the API's, which is a unit of its own, and TensorFlow's graph messages. */
const generatedApi = join('src', 'server', 'gen');
const generatedGraph = join('src', 'model', 'compile', 'gen');
const generated = [generatedApi, generatedGraph];

const filesBelow = (folder: string, ending = '.ts'): string[] =>
  readdirSync(join(root, folder), {recursive: true, encoding: 'utf8'})
    .map(name => join(folder, name))
    .filter(name => name.endsWith(ending) && !generated.some(gen => name.startsWith(gen + sep)));

/** errors, random and intervals import nothing of ours, and whoever needs them may import them. main.ts imports anything. export.ts is a program too. */
const mayImport: Record<string, string[]> = {
  errors: [],
  random: ['errors'],
  intervals: [],
  config: ['errors'],
  pipeline: ['data', 'model', 'errors', 'random', 'intervals'],
  data: ['errors', 'random'],
  model: ['errors', 'random'],
  runs: ['pipeline', 'data', 'errors', 'random'],
  server: ['runs', 'telemetry', 'errors', 'random', 'gen'],
  telemetry: [],
  cli: ['data', 'gen', 'config', 'errors', 'random', 'intervals'],
  export: ['pipeline', 'errors'],
};

/** Third-party code has one address. What no folder lists, nobody imports; what none imports is no dependency of ours. */
const thirdParty: Record<string, string[]> = {
  pipeline: [],
  data: ['@bufbuild/protobuf', '@huggingface/hub', 'csv-parse', 'fzstd', 'hyparquet', 'xxhash-wasm'],
  model: ['@tensorflow/tfjs-node-gpu'],
  runs: ['@aws-sdk/client-s3', '@aws-sdk/lib-storage', 'libsql', 'pg'],
  server: [
    '@bufbuild/protobuf',
    '@grpc/grpc-js',
    'jose',
    'nice-grpc',
    'nice-grpc-common',
    'nice-grpc-error-details',
    'nice-grpc-server-health',
  ],
  telemetry: [
    '@opentelemetry/api',
    '@opentelemetry/exporter-trace-otlp-http',
    '@opentelemetry/resources',
    '@opentelemetry/sdk-trace-base',
    'pino',
    'prom-client',
  ],
  cli: [
    '@bufbuild/protobuf',
    '@grpc/grpc-js',
    '@huggingface/hub',
    '@observablehq/plot',
    'cli-progress',
    'cli-table3',
    'commander',
    'hyparquet-writer',
    'linkedom',
    'nice-grpc',
    'nice-grpc-common',
    'nice-grpc-error-details',
    'yaml',
  ],
};

/** Dependencies that are run rather than imported. */
const programs = ['node-gyp', 'tsx'];

const sources = filesBelow('src');
/** Folder or file directly below src/ that a path belongs to; gen/ is its own. */
const unitOf = (path: string) =>
  path.startsWith(generatedApi) ? 'gen' : relative('src', path).split(sep)[0].replace(/\.ts$/, '');
const packageOf = (name: string) =>
  name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');

const ownImports = sources.flatMap(file =>
  runtimeImports(join(root, file))
    .filter(target => target.startsWith('.'))
    .map(target => ({
      file,
      from: unitOf(file),
      to: unitOf(relative(root, resolve(root, dirname(file), target)).replace(/\.js$/, '.ts')),
    })),
);
const packageImports = sources.flatMap(file =>
  runtimeImports(join(root, file))
    .filter(target => !target.startsWith('.') && !target.startsWith('node:'))
    .map(target => ({file, from: unitOf(file), name: packageOf(target)})),
);

for (const [unit, allowed] of Object.entries(mayImport)) {
  test(`${unit} imports only ${allowed.join(', ') || 'Node'} of ours`, () => {
    for (const {file, from, to} of ownImports) {
      if (from === unit && to !== unit) assert.ok(allowed.includes(to), `${file} must not import ${to}`);
    }
  });
}

test('every folder below src has its row in the table of imports', () => {
  const units = new Set(sources.map(unitOf));
  units.delete('main');
  assert.deepEqual(
    [...units].filter(unit => !(unit in mayImport)),
    [],
  );
});

test('nobody imports the programs main.ts and export.ts', () => {
  assert.deepEqual(
    ownImports.filter(({to}) => ['main', 'export'].includes(to)),
    [],
  );
});

test('third-party code has one address', () => {
  for (const {file, from, name} of packageImports) {
    assert.ok(
      thirdParty[from]?.includes(name),
      `${file} must not import ${name}: see the table in test/architecture.test.ts`,
    );
  }
});

test('every dependency is imported by us or is a program that we run', () => {
  const {dependencies} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // Generated code imports some, and a type-only import needs its package no less.
  const everything = [...sources, ...filesBelowGenerated()]
    .map(file => readFileSync(join(root, file), 'utf8'))
    .join('\n');
  const isUsed = (name: string) =>
    programs.includes(name) || everything.includes(`'${name}`) || everything.includes(`"${name}`);
  assert.deepEqual(
    Object.keys(dependencies).filter(name => !isUsed(name)),
    [],
  );
});

test('the pipeline touches no files', () => {
  for (const file of filesBelow(join('src', 'pipeline'))) {
    const found = runtimeImports(join(root, file)).filter(target => /^node:fs/.test(target));
    assert.deepEqual(found, [], `${file} must leave files to data/`);
  }
});

test('the environment is read in config.ts alone', () => {
  // Handing it on whole is not reading it, and TensorFlow hears how loud to be in no other way.
  const isFree = /readConfig\(process\.env\)|process\.env\.TF_CPP_MIN_LOG_LEVEL \?\?=|^\s*\/\/.*$/gm;
  for (const file of sources.filter(name => unitOf(name) !== 'config')) {
    assert.ok(
      !readFileSync(join(root, file), 'utf8').replace(isFree, '').includes('process.env'),
      `${file} reads process.env`,
    );
  }
});

test('no folder below src lies deeper than two', () => {
  assert.deepEqual(
    sources.filter(file => dirname(relative('src', file)).split(sep).length > 2),
    [],
  );
});

test('src has no barrel, and no folder whose name says nothing', () => {
  assert.deepEqual(
    sources.filter(file => /(^|\/)(index\.ts$|(utils|common|core|managers)\/)/.test(file)),
    [],
  );
});

test('no file has more than 300 lines', () => {
  const kernels = ['.cc', '.h'].flatMap(ending => filesBelow('src', ending));
  const files = [
    ...sources,
    ...kernels,
    ...filesBelow('test'),
    ...filesBelow('bench'),
    ...filesBelow('scripts', '.mjs'),
  ];
  const numLines = (file: string) => readFileSync(join(root, file), 'utf8').split('\n').length - 1;
  assert.deepEqual(
    files.filter(file => numLines(file) > 300),
    [],
  );
});

function filesBelowGenerated(): string[] {
  return generated.flatMap(folder =>
    readdirSync(join(root, folder), {recursive: true, encoding: 'utf8'})
      .filter(name => name.endsWith('.ts'))
      .map(name => join(folder, name)),
  );
}
