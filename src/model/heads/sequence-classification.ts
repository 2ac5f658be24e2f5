// One class for each text, told from its first token.
import {dense, denseParameters} from '../families/parts.js';
import type {Head} from './head.js';

export const sequenceClassification: Head = {
  className: 'ForSequenceClassification',
  parameters(family, config, numClasses) {
    const head = family.sequenceHead(config);
    const {hiddenSize: D} = config;
    return [...denseParameters(head.dense, D, D), ...denseParameters(head.linear, numClasses, D)];
  },
  readsFirstTokens: true,
  /** [B, C] */
  logits(pass, family, x_BD, site) {
    const {config, layers} = pass;
    const head = family.sequenceHead(config);
    const first_BD = layers.dropout(x_BD, {rate: head.inputDropout, site: site + 1});
    const pooled_BD = layers.activation(head.activation, dense(pass, first_BD, head.dense));
    const dropped_BD = layers.dropout(pooled_BD, {rate: config.classifierDropout, site});
    return dense(pass, dropped_BD, head.linear);
  },
  labels: ({labels, batchSize}) => ({values: labels, shape: [batchSize]}),
  labelsSpec: {type: 'int32', shape: ['B']},
  readsGrid: false,
  loss: ({layers}, logits_BC, labels_B) => layers.crossEntropy(logits_BC, labels_B),
};
