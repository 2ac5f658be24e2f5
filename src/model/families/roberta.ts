// RoBERTa: BERT whose positions begin behind the padding's, without types of texts. Liu et al., arXiv 1907.11692.
import {embed, embeddingParameters, encode, encoderParameters, numDropoutSites} from './bert.js';
import type {Family} from './family.js';

export const roberta: Family = {
  className: 'Roberta',
  prefix: 'roberta',
  layers: 'encoder.layer',
  layersKey: 'num_hidden_layers',
  parameters: config => [...embeddingParameters('roberta', config), ...encoderParameters('roberta', config)],
  sequenceHead: ({classifierDropout}) => ({
    inputDropout: classifierDropout,
    dense: 'classifier.dense',
    activation: 'tanh',
    linear: 'classifier.out_proj',
  }),
  numDropoutSites,
  maxLength: ({maxPositionEmbeddings, padTokenId}) => maxPositionEmbeddings - padTokenId - 1,
  hasTokenTypes: false,
  hasPaddedPositions: true,
  *hiddenStates(pass) {
    const x_TD = pass.layers.scope(() => embed('roberta', pass));
    yield x_TD;
    yield* encode('roberta', pass, x_TD);
  },
};
