// The binding on the Nodes to come, which lack two functions of node:util that it calls.
import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';

const tensorflow = fileURLToPath(new URL('../../src/model/tensorflow.ts', import.meta.url));

test('TensorFlow computes where node:util has neither isNullOrUndefined nor isArray', async () => {
  const code = `import util from 'node:util';
    delete util.isNullOrUndefined;
    delete util.isArray;
    const {tf} = await import(${JSON.stringify(tensorflow)});
    console.log(JSON.stringify(await tf.matMul([[1, 2]], [[3], [4]]).array()));`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', code];
  const {stdout} = await promisify(execFile)(process.execPath, args);
  assert.equal(stdout.trim().split('\n').at(-1), '[[11]]');
});
