// A classifier's weights and moments → one digest of their names, shapes and bits.
import {createHash} from 'node:crypto';
import type {Classifier} from '../../src/model/classifier.js';

export function weightsDigest(classifier: Classifier): string {
  const hash = createHash('sha256');
  for (const {name, shape, read} of classifier.state()) hash.update(`${name} ${shape}`).update(read());
  return hash.digest('hex');
}
