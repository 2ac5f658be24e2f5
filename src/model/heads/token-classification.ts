// A class for each token.
// T real tokens of the batch · C classes
import {dense, denseParameters} from '../families/parts.js';
import {realPlaces} from '../token-places.js';
import type {Head} from './head.js';

/** What transformers gives tokens that have no class. */
const unlabelled = -100;

export const tokenClassification: Head = {
  className: 'ForTokenClassification',
  parameters: (_family, {hiddenSize}, numClasses) => denseParameters('classifier', numClasses, hiddenSize),
  readsFirstTokens: false,
  /** [T, C] */
  logits(pass, _family, x_TD, site) {
    const dropped_TD = pass.layers.dropout(x_TD, {rate: pass.config.tokenDropout, site});
    return dense(pass, dropped_TD, 'classifier');
  },
  /** The batch has a label for each place of its grid. */
  labels(batch) {
    const places = realPlaces(batch);
    return {values: places.map(place => batch.labels[place] ?? unlabelled), shape: [places.length]};
  },
  labelsSpec: {type: 'int32', shape: ['T']},
  readsGrid: false,
  loss: ({layers}, logits_TC, labels_T) => layers.crossEntropy(logits_TC, labels_T),
};
