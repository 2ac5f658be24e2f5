// Our side of a comparison, a process of its own: requests in, seconds and memory of our classifier out. See protocol.ts.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';

import {readFileSync} from 'node:fs';
import type {Batch} from '../../src/data/types.js';
import type {Classifier} from '../../src/model/classifier.js';
import {fakeClassifier} from '../model/classifier.js';
import {answer} from './answer.js';
import {type CreateRequest, type Memory, paddedBatch, type RaggedBatch, type Steps} from './protocol.js';
import {traceTimes} from './trace-times.js';

const learningRate = 5e-5;
let classifier: Classifier | undefined;
let step = 0;

await answer({
  async create(request: CreateRequest) {
    classifier = await fakeClassifier(request);
    return {};
  },
  train: ({batches, repeat}: {batches: RaggedBatch[]; repeat: number}) =>
    timed(batches, repeat, async batch => (await classifier!.trainStep(batch, {step: step++, learningRate})).loss),
  predict: ({batches, repeat}: {batches: RaggedBatch[]; repeat: number}) =>
    timed(batches, repeat, async batch => (await classifier!.predict(batch))[0]),
  memory,
  trace: ({lengths, ...request}: CreateRequest & {lengths: number[]}) => traceTimes(request, lengths, memory),
});

async function timed(batches: RaggedBatch[], repeat: number, work: (batch: Batch) => Promise<number>): Promise<Steps> {
  const padded = batches.map(paddedBatch);
  const seconds: number[] = [];
  let loss = 0;
  for (let time = 0; time < repeat; time++)
    for (const batch of padded) {
      const began = performance.now();
      loss = await work(batch);
      seconds.push((performance.now() - began) / 1000);
    }
  if (!Number.isFinite(loss)) throw new Error(`The loss must be finite, it is ${loss}`);
  return {seconds, loss};
}

function memory(): Memory {
  globalThis.gc?.();
  const status = readFileSync('/proc/self/status', 'utf8');
  const bytes = (key: string) => 1024 * Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(status)?.[1]);
  return {peak: bytes('VmHWM'), resident: bytes('VmRSS')};
}
