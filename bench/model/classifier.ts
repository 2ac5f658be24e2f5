// A shape and how it is to compute in; our classifier with fake weights out.
import type {Classifier, ClassifierOptions} from '../../src/model/classifier.js';
import {type CreateRequest, paddedBatch} from '../workers/protocol.js';
import {fakeCheckpoint} from './fake-checkpoint.js';
import {shapes} from './shapes.js';

/**
 * TensorFlow is loaded only when this is called. `onRead` hears of each tensor whose values are about to be read. Throws where bf16 is asked
 * for and changes nothing: float32 must not be timed under that name.
 */
export async function fakeClassifier(request: CreateRequest, onRead?: (name: string) => void): Promise<Classifier> {
  if (request.precision === 'bf16') await checkPrecision();
  return made(request, onRead);
}

/** The two precisions must round some logit differently. */
async function checkPrecision(): Promise<void> {
  const batch = paddedBatch({ids: [[101, 7, 8, 9, 102]], secondStarts: [5], labels: [0]});
  const logits: Float32Array[] = [];
  for (const precision of ['fp32', 'bf16'] as const) {
    const toy = await made({config: shapes.toy.config, numClasses: 3, precision, compiled: true});
    logits.push(await toy.predict(batch));
    toy.dispose();
  }
  const [exact, rounded] = logits;
  if (exact.every((logit, i) => logit === rounded[i]))
    throw new Error('our classifier computes in float32 only: precision bfloat16 changes no bit of the logits');
}

async function made(
  {config, numClasses, precision, compiled}: CreateRequest,
  onRead?: (name: string) => void,
): Promise<Classifier> {
  const {createClassifier} = await import('../../src/model/encoder-classifier.js');
  const options: ClassifierOptions = {
    classNames: Array.from({length: numClasses}, (_, i) => `class ${i}`),
    seed: 0,
    weightDecay: 0,
    precision: precision === 'bf16' ? 'bfloat16' : 'float32',
    eager: !compiled,
  };
  return createClassifier(fakeCheckpoint(config, {numClasses, onRead}), options);
}
