// Hundreds of compiled steps on batches of many shapes hold no more memory at their end than soon after their start.
import assert from 'node:assert/strict';
import {memoryUsage} from 'node:process';
import {test} from 'node:test';
import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';
import {createClassifier} from '../../src/model/encoder-classifier.js';
import {tf} from '../../src/model/tensorflow.js';
import {randomStream} from '../../src/random.js';
import {toBatch} from './golden-models.js';
import {tinyCheckpoint, tinyConfig} from './tiny-checkpoint.js';

const config = {...tinyConfig, maxPositionEmbeddings: 64};
const [warmUp, measured] = [300, 600];

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function batch(step: number) {
  const random = randomStream(1, 'data', step % 50);
  const lengths = Array.from({length: 1 + Math.floor(16 * random())}, () => 1 + Math.floor(64 * random()));
  const row = (value: (i: number) => number) => lengths.map(n => Array.from({length: n}, (_, i) => value(i)));
  return toBatch({
    input_ids: row(() => Math.floor(config.vocabSize * random())),
    token_type_ids: row(i => i % 2),
    attention_mask: row(() => 1),
    labels: lengths.map(n => n % 3),
  });
}

test(`${measured} steps on batches of 50 shapes hold no tensor and no memory`, async () => {
  const classifier = createClassifier(tinyCheckpoint(config), {
    classNames: ['x', 'y', 'z'],
    seed: 0,
    weightDecay: 0.01,
  });
  let step = 0;
  const resident = async (numSteps: number) => {
    for (const end = step + numSteps; step < end; step++) {
      await classifier.trainStep(batch(step), {step, learningRate: 1e-4});
      if (step % 10 === 0) await classifier.predict(batch(step));
    }
    collectGarbage();
    return memoryUsage().rss;
  };
  const before = await resident(warmUp);
  const {numTensors} = tf.memory();
  const after = await resident(measured);
  assert.equal(tf.memory().numTensors, numTensors);
  const growth = after / before - 1;
  console.log(before / 1e6, growth);
  assert.ok(growth < 0.02, `resident memory grew by ${(100 * growth).toFixed(1)} % of ${(before / 1e6).toFixed()} MB`);
  classifier.dispose();
});
