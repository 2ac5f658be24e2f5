// What cannot be recorded is refused by name and line, and leaves the eager runtime as it was.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {compile} from '../../../src/model/compile/program.js';
import {type Tensor, tf} from '../../../src/model/tensorflow.js';

const lines = readFileSync(new URL(import.meta.url), 'utf8').split('\n');
const size = (x: Tensor) => x.shape[0];
/** Many calls of tfjs lie between the op and the line that asked for it. */
const deep = (x: Tensor) => tf.tidy(() => tf.grad(y => tf.mean(tf.tidy(() => tf.square(tf.sin(y)))))(x));

interface Refused {
  what: string;
  /** x [B, 2]; `used` and `fresh` [2] are from outside, and TensorFlow has seen the first of them. */
  body: (x: Tensor, used: Tensor, fresh: Tensor) => Tensor;
  attempt: string;
  reason: string;
  /** Stands on the line that is to be named. */
  code: string;
}

const read = {attempt: 'read a tensor', reason: 'a value is known only when the graph runs; feed it or compute it'};
const outside = {attempt: 'use a tensor', reason: 'it was made outside of the recorded code; feed it as an input'};
const noRule = (op: string) => ({attempt: `record the op ${op}`, reason: 'it has no shape rule in shapes.ts'});
const baked = (op: string) => ({
  attempt: `record the op ${op}`,
  reason: 'a size that differs from call to call has become a constant',
});

const cases: Refused[] = [
  {what: 'an op without a rule', body: x => tf.cos(x), code: 'tf.cos(x)', ...noRule('Cos')},
  {what: 'an op without a rule, deep inside', body: x => deep(x), code: 'tf.sin(y)', ...noRule('Sin')},
  {
    what: 'an op whose inputs do not fit',
    body: x => tf.matMul(x, x),
    code: 'tf.matMul(x, x)',
    attempt: 'record the op BatchMatMulV2',
    reason: 'inner sizes differ',
  },
  {what: 'reading a value', body: x => tf.mul(x, x.dataSync()[0]), code: 'x.dataSync()', ...read},
  {what: 'reading as arrays', body: x => tf.scalar(tf.sum(x).arraySync() as number), code: 'arraySync()', ...read},
  {what: 'a tensor from outside', body: (x, used) => tf.add(x, used), code: 'tf.add(x, used)', ...outside},
  {what: 'an unused one from outside', body: (x, _, fresh) => tf.add(x, fresh), code: 'tf.add(x, fresh)', ...outside},
  {what: 'a size as a number', body: x => tf.mul(x, size(x)), code: 'tf.mul(x, size(x))', ...baked('Mul')},
  {what: 'a share of a size', body: x => tf.mul(x, 1 / size(x)), code: 'tf.mul(x, 1 / size(x))', ...baked('Mul')},
  {
    what: 'zeros of a size that differs from call to call',
    body: x => tf.add(x, tf.zeros(x.shape)),
    code: 'tf.zeros(x.shape)',
    attempt: 'make a tensor of shape [32749,2]',
    reason: 'a size that differs from call to call is part of it',
  },
];

for (const {what, body, attempt, reason, code} of cases) {
  test(`${what} is refused, with the line that asked for it`, () => {
    const [used, fresh] = [tf.tensor1d([1, 2]), tf.tensor1d([1, 2])];
    used.square().dispose();
    const {numTensors} = tf.memory();
    const {write} = tf.backend();
    const record = () =>
      compile({f: {inputs: {x: {type: 'float32', shape: ['B', 2]}}, body: ({x}) => ({y: body(x, used, fresh)})}});
    assert.throws(record, (error: Error) => {
      assert.ok(error.message.startsWith(`Cannot ${attempt} while a graph is recorded: ${reason}`), error.message);
      const line = error.message.match(/recorder\.test\.ts:(\d+):\d+\)\)?$/)?.[1];
      assert.ok(line, `names no line of this file: ${error.message}`);
      assert.ok(lines[Number(line) - 1].includes(code), `names line ${line}: ${lines[Number(line) - 1]}`);
      return true;
    });
    assert.equal(tf.memory().numTensors, numTensors);
    assert.equal(tf.backend().write, write);
    tf.tidy(() => {
      assert.deepEqual([...tf.add(used, fresh).dataSync()], [2, 4]);
      const squares = tf.grad(x => tf.sum(tf.square(x)));
      assert.deepEqual([...squares(used).dataSync()], [2, 4]);
    });
  });
}
