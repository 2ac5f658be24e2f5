// A model folder in, a classifier ready to train out. TensorFlow is loaded only when this is called.
import {openCheckpoint} from '../data/checkpoint.js';
import type {Classifier, ClassifierOptions} from '../model/classifier.js';

/** A folder in the hub's layout: config.json and weights. FAILED_PRECONDITION/MODEL_INVALID when they cannot be used. */
export async function loadClassifier(folder: string, options: ClassifierOptions): Promise<Classifier> {
  const checkpoint = await openCheckpoint(folder);
  const {createClassifier} = await import('../model/encoder-classifier.js');
  return createClassifier(checkpoint, options);
}
