// Resident memory of a process that trains a two-layer toy on batches of every length, after some steps and after many more.

import {randomStream} from '../src/random.js';
import {shapes} from './model/shapes.js';
import {type Measurement, measured, type Row} from './report/results.js';
import {syntheticBatch} from './synthetic-batch.js';
import {targets} from './targets.js';
import {create, memory, startOurs, train} from './workers/side.js';

export interface LeakOptions {
  /** Made before memory is looked at. */
  first: number;
  /** Made between the two looks. */
  steps: number;
}

const [rows, longest, numClasses, numBatches] = [8, 64, 3, 100];

export async function benchLeak({first, steps}: LeakOptions): Promise<Measurement> {
  const {title, config} = shapes.toy;
  const random = randomStream(0, 'data');
  const length = () => 3 + Math.floor(random() * (longest - 2));
  const batches = Array.from({length: numBatches}, (_, seed) => {
    // One row is as long as the batch; the others are of any length up to it.
    const width = length();
    const lengths = Array.from({length: rows}, (_, row) => (row === 0 ? width : Math.min(width, length())));
    const vocabSize = Number(config.vocab_size);
    return syntheticBatch({rows, length: row => lengths[row], vocabSize, numClasses, seed});
  });
  const side = startOurs();
  try {
    await create(side, {config, numClasses, precision: 'fp32', compiled: true});
    const residentAfter = async (numSteps: number) => {
      for (let done = 0; done < numSteps; done += numBatches)
        await train(side, batches.slice(0, Math.min(numBatches, numSteps - done)));
      return (await memory(side)).resident;
    };
    const series = [await residentAfter(first)];
    const numLooks = 10;
    for (let look = 0; look < numLooks; look++) series.push(await residentAfter(Math.ceil(steps / numLooks)));
    const numSteps = first + numLooks * Math.ceil(steps / numLooks);
    const at = (step: number, bytes: number) => measured(`at step ${step}`, [bytes], 'bytes');
    const row: Row = {
      what: `${title}, ${rows} x 3 to ${longest}, fp32`,
      ours: at(numSteps, series[numLooks]),
      peer: at(first, series[0]),
      figure: {name: 'growth', value: 100 * (series[numLooks] / series[0] - 1), unit: 'percent', target: targets.leak},
    };
    const megabytes = series.map(bytes => (bytes / 1e6).toFixed(1)).join(', ');
    const notes = {[`MB at step ${first} and at ${numLooks} equal distances after it`]: megabytes};
    return {title: 'Growth of resident memory', rows: [row], notes, versions: {}};
  } finally {
    await side.end();
  }
}
