import assert from 'node:assert/strict';
import {test} from 'node:test';
import {fakeCheckpoint} from '../../bench/model/fake-checkpoint.js';
import {shapes} from '../../bench/model/shapes.js';
import {mean, sampleVariance} from '../../bench/statistics.js';
import {syntheticBatch} from '../../bench/synthetic-batch.js';
import {expectedParameters} from '../../src/model/parameters.js';

test('a fake checkpoint holds every tensor of its shape, made when it is read and the same each time', () => {
  const read: string[] = [];
  const {config, tensors} = fakeCheckpoint(shapes.toy.config, {numClasses: 3, onRead: name => read.push(name)});
  const expected = expectedParameters(config, 3);
  assert.deepEqual(
    [...tensors.values()].map(({name, shape}) => ({name, shape})),
    expected,
  );
  assert.deepEqual(read, []);
  const {name, shape} = expected[0];
  const values = tensors.get(name)!.read();
  assert.deepEqual(read, [name]);
  assert.equal(values.length, shape[0] * shape[1]);
  assert.deepEqual(tensors.get(name)!.read(), values);
});

test('its weights scatter as a new model would, norms are 1 and biases 0', () => {
  const {tensors} = fakeCheckpoint(shapes.minilm.config, {numClasses: 3});
  const layer = 'bert.encoder.layer.0';
  const weights = [...tensors.get(`${layer}.intermediate.dense.weight`)!.read()];
  assert.equal(weights.length, 384 * 1536);
  assert.ok(Math.abs(mean(weights)) < 1e-3 && Math.abs(Math.sqrt(sampleVariance(weights)) - 0.02) < 1e-3);
  assert.ok(
    tensors
      .get(`${layer}.output.LayerNorm.weight`)!
      .read()
      .every(value => value === 1),
  );
  assert.ok(
    tensors
      .get(`${layer}.output.LayerNorm.bias`)!
      .read()
      .every(value => value === 0),
  );
  const other = tensors.get(`${layer}.attention.self.query.weight`)!.read();
  assert.notDeepEqual([...other.slice(0, 4)], weights.slice(0, 4));
});

test('a batch made up has real tokens only, and is the same for the same seed', () => {
  const shape = {rows: 16, length: 5, vocabSize: 3, numClasses: 2, seed: 1};
  const batch = syntheticBatch(shape);
  assert.deepEqual(batch, syntheticBatch(shape));
  assert.ok(batch.ids.every(row => row.length === 5));
  assert.deepEqual([...new Set(batch.ids.flat())].sort(), [1, 2]);
  assert.deepEqual([...new Set(batch.labels)].sort(), [0, 1]);
});
