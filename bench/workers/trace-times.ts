// A shape and the lengths of its buckets in; how long until each bucket can be stepped, and what memory that took, out.
import {fakeClassifier} from '../model/classifier.js';
import {type CreateRequest, type Memory, paddedBatch} from './protocol.js';

export interface TraceTimes {
  /** Seconds from the call of createClassifier until it asks for the first weight: what was traced was traced without any. */
  untilWeights: number;
  /** Seconds until it returns, the values of all weights read and assigned. */
  untilCreated: number;
  /** Seconds by which each bucket's first step was longer than its second. */
  firstSteps: number[];
  /** Bytes by which resident memory had grown at its peak, at the same times and after all steps. */
  growth: {untilWeights: number; untilCreated: number; untilStepped: number};
}

/** Steps are of one row: tracing costs the same for any number of rows, and the steps themselves less. */
export async function traceTimes(request: CreateRequest, lengths: number[], memory: () => Memory): Promise<TraceTimes> {
  // Loads TensorFlow, which is no part of tracing.
  const {config} = request;
  (await fakeClassifier({...request, config: {...config, ...tiny}})).dispose();
  const before = memory().resident;
  const growth = () => memory().peak - before;
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  let atWeights: {seconds: number; growth: number} | undefined;
  const classifier = await fakeClassifier(request, () => {
    atWeights ??= {seconds: seconds(), growth: growth()};
  });
  const untilCreated = seconds();
  const grownUntilCreated = growth();
  const firstSteps: number[] = [];
  let step = 0;
  for (const length of lengths) {
    const batch = paddedBatch({ids: [new Array(length).fill(7)], secondStarts: [length], labels: [0]});
    const stepSeconds = async () => {
      const at = seconds();
      await classifier.trainStep(batch, {step: step++, learningRate: 1e-5});
      return seconds() - at;
    };
    firstSteps.push((await stepSeconds()) - (await stepSeconds()));
  }
  const untilStepped = growth();
  classifier.dispose();
  return {
    untilWeights: atWeights!.seconds,
    untilCreated,
    firstSteps,
    growth: {untilWeights: atWeights!.growth, untilCreated: grownUntilCreated, untilStepped},
  };
}

/** Of the same family. */
const tiny = {num_hidden_layers: 1, hidden_size: 16, num_attention_heads: 2, intermediate_size: 16, vocab_size: 16};
