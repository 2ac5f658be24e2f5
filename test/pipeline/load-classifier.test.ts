// Importing the pipeline costs no TensorFlow; loading a classifier does.
import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {readConfig} from '../../src/config.js';

const folder = fileURLToPath(new URL('../../src/pipeline/', import.meta.url));
const miniLm = join(readConfig(process.env).modelDir, 'minilm-l6');

/** Loaded TensorFlow libraries of a fresh process that has run the code. */
async function tensorFlowAfter(code: string): Promise<string[]> {
  const report =
    'console.log(JSON.stringify(process.report.getReport().sharedObjects.filter(name => /tensorflow|tfjs/.test(name))))';
  const args = ['--import', 'tsx', '--input-type=module', '--eval', `${code}; ${report}`];
  const {stdout} = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout);
}

test('importing every module of the pipeline, and checking a model, loads no TensorFlow', async () => {
  const modules = readdirSync(folder).filter(name => name.endsWith('.ts'));
  assert.ok(modules.includes('ftft.ts') && modules.includes('load-classifier.ts'));
  const imports = modules.map(name => `await import(${JSON.stringify(join(folder, name))})`);
  const check = `(await import(${JSON.stringify(join(folder, 'check-model.ts'))})).checkModel(${JSON.stringify(miniLm)}, {numClasses: 2, maxLength: 8})`;
  assert.deepEqual(await tensorFlowAfter([...imports, `await ${check}`].join('; ')), []);
});

test('loading a classifier loads TensorFlow', async () => {
  const options = {layers: 1, classNames: ['a', 'b'], seed: 0, weightDecay: 0};
  const load = `(await import(${JSON.stringify(join(folder, 'load-classifier.ts'))})).loadClassifier`;
  const libraries = await tensorFlowAfter(`await ${load}(${JSON.stringify(miniLm)}, ${JSON.stringify(options)})`);
  assert.ok(
    libraries.some(name => name.includes('libtensorflow')),
    libraries.join(', '),
  );
});
