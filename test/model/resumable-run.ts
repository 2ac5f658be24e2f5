// A short training run with dropout whose batches are of all shapes, large enough to be computed by several threads. As a program: precision,
// first step and file of the state → the digest of the state after the last step, as the last line.
import {argv} from 'node:process';
import {openSafetensors} from '../../src/data/safetensors.js';
import type {Batch} from '../../src/data/types.js';
import type {Classifier, Precision} from '../../src/model/classifier.js';
import {createClassifier} from '../../src/model/encoder-classifier.js';
import {randomStream} from '../../src/random.js';
import {toBatch} from './golden-models.js';
import {tinyCheckpoint, tinyConfig} from './tiny-checkpoint.js';
import {weightsDigest} from './weights-digest.js';

export const numSteps = 5;

const config = {
  ...tinyConfig,
  vocabSize: 300,
  embeddingSize: 96,
  hiddenSize: 96,
  intermediateSize: 192,
  maxPositionEmbeddings: 64,
};

export const resumable = (precision: Precision): Classifier =>
  createClassifier(tinyCheckpoint(config), {classNames: ['x', 'y', 'z'], seed: 8, weightDecay: 0.01, precision});

/** Steps `from` to `to` - 1. */
export async function trainSteps(classifier: Classifier, from: number, to: number): Promise<void> {
  for (let step = from; step < to; step++) await classifier.trainStep(batchOf(step), {step, learningRate: 1e-3});
}

/** 12 to 16 rows of 1 to 60 tokens. */
function batchOf(step: number): Batch {
  const random = randomStream(5, 'data', step);
  const lengths = Array.from({length: 12 + step}, () => 1 + Math.floor(60 * random()));
  return toBatch({
    input_ids: lengths.map(n => Array.from({length: n}, () => Math.floor(config.vocabSize * random()))),
    token_type_ids: lengths.map(n => Array.from({length: n}, (_, i) => (2 * i < n ? 0 : 1))),
    attention_mask: lengths.map(n => new Array(n).fill(1)),
    labels: lengths.map(n => n % 3),
  });
}

if (import.meta.url === `file://${argv[1]}`) {
  const [, , precision, first, file] = argv;
  const classifier = resumable(precision as Precision);
  classifier.restore(openSafetensors(file).values());
  await trainSteps(classifier, Number(first), numSteps);
  console.log(weightsDigest(classifier));
}
