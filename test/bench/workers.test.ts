import assert from 'node:assert/strict';
import {test} from 'node:test';
import {shapes} from '../../bench/model/shapes.js';
import {syntheticBatch} from '../../bench/synthetic-batch.js';
import {create, memory, predict, startOurs, train} from '../../bench/workers/side.js';

const {config} = shapes.toy;
const batch = syntheticBatch({rows: 4, length: 6, vocabSize: 1000, numClasses: 3, seed: 0});

test('our side trains and predicts as often as it is asked to, and tells its memory', async () => {
  const side = startOurs();
  try {
    await create(side, {config, numClasses: 3, precision: 'fp32', compiled: true});
    const {seconds, loss} = await train(side, [batch, batch], 3);
    assert.equal(seconds.length, 6);
    assert.ok(seconds.every(value => value > 0));
    assert.ok(loss! > 0.5 && loss! < 2, `three classes lose about ln 3, not ${loss}`);
    assert.equal((await predict(side, [batch])).seconds.length, 1);
    const {peak, resident} = await memory(side);
    assert.ok(peak >= resident && resident > 50e6);
  } finally {
    await side.end();
  }
});

test('what a side cannot do is an error that says why, and the side lives on', async () => {
  const side = startOurs();
  try {
    const family = {...config, model_type: 'no such family'};
    await assert.rejects(
      create(side, {config: family, numClasses: 3, precision: 'fp32', compiled: true}),
      /model family "no such family" is not supported/,
    );
    assert.ok((await memory(side)).peak > 0);
  } finally {
    await side.end();
  }
});
