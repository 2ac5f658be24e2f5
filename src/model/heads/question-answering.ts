// Where in a text an answer begins and ends: Devlin et al., arXiv 1810.04805, 4.2.
// B batch · L length · T real tokens of the batch
import {dense, denseParameters} from '../families/parts.js';
import type {Head} from './head.js';

export const questionAnswering: Head = {
  className: 'ForQuestionAnswering',
  parameters: (_family, {hiddenSize}) => denseParameters('qa_outputs', 2, hiddenSize),
  readsFirstTokens: false,
  /** [T, 2]: of the first token and of the last. */
  logits(pass, _family, x_TD, site) {
    const dropped_TD = pass.layers.dropout(x_TD, {rate: pass.config.answerDropout, site});
    return dense(pass, dropped_TD, 'qa_outputs');
  },
  /** The batch has the places of the first and of the last token in their text for each row; -100: no answer. */
  labels: ({labels, batchSize}) => ({values: labels, shape: [batchSize, 2]}),
  labelsSpec: {type: 'int32', shape: ['B', 2]},
  readsGrid: true,
  /** Mean of both. Real tokens share the probability, whatever the padding. */
  loss: ({inputs, layers}, logits_T2, labels_B2) => layers.spanLoss(logits_T2, labels_B2, inputs),
};
