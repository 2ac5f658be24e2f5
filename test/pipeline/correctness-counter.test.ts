// Counts of right and forgotten, four instances a word.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {CorrectnessCounter} from '../../src/pipeline/correctness-counter.js';
import {randomStream} from '../../src/random.js';

test('counts are those of each instance by itself, also past 255 epochs, for blocks of any size, one after the other', () => {
  const counter = new CorrectnessCounter();
  const random = randomStream(5, 'data');
  for (const [count, numEpochs] of [
    [7, 3],
    [4, 1],
    [13, 700],
    [1, 255],
    [1, 256],
    [13, 2],
  ]) {
    const from = 3;
    const epochs = Array.from({length: numEpochs}, (_, e) =>
      // The first instance is always right, the second forgotten every other epoch.
      Uint8Array.from({length: from + count}, (_, i) =>
        i === from ? 1 : i === from + 1 ? e % 2 : Math.round(random()),
      ),
    );
    const at = 2;
    const columns = {
      correctness: new Uint32Array(at + count),
      forgettingEvents: new Uint32Array(at + count),
      isWrongAtLast: new Uint8Array(at + count),
    };
    for (const epoch of epochs) {
      const numRight = epoch.subarray(from).reduce((sum, bit) => sum + bit, 0);
      assert.equal(counter.add(epoch, {from, count}), numRight);
    }
    counter.finish(columns, {count, at});
    for (let i = 0; i < count; i++) {
      const trend = epochs.map(epoch => epoch[from + i]);
      assert.equal(columns.correctness[at + i], trend.filter(bit => bit === 1).length);
      const forgotten = trend.filter((bit, e) => e > 0 && bit === 0 && trend[e - 1] === 1).length;
      assert.equal(columns.forgettingEvents[at + i], forgotten);
      assert.equal(columns.isWrongAtLast[at + i], 1 - trend[numEpochs - 1]);
    }
  }
});
