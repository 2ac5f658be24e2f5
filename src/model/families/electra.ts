// ELECTRA's discriminator: BERT whose embeddings may be narrower than its layers. Clark et al., arXiv 2003.10555.
import {embed, embeddingParameters, encode, encoderParameters, numDropoutSites} from './bert.js';
import type {Family} from './family.js';
import {dense, denseParameters} from './parts.js';

const projection = 'electra.embeddings_project';

export const electra: Family = {
  className: 'Electra',
  prefix: 'electra',
  layers: 'encoder.layer',
  layersKey: 'num_hidden_layers',
  parameters: config => [
    ...embeddingParameters('electra', config),
    ...(isProjected(config) ? denseParameters(projection, config.hiddenSize, config.embeddingSize) : []),
    ...encoderParameters('electra', config),
  ],
  sequenceHead: ({classifierDropout}) => ({
    inputDropout: classifierDropout,
    dense: 'classifier.dense',
    activation: 'gelu',
    linear: 'classifier.out_proj',
  }),
  numDropoutSites,
  maxLength: config => config.maxPositionEmbeddings,
  hasTokenTypes: true,
  *hiddenStates(pass) {
    const x_TD = pass.layers.scope(() => {
      const x_TE = embed('electra', pass);
      return isProjected(pass.config) ? dense(pass, x_TE, projection) : x_TE;
    });
    yield x_TD;
    yield* encode('electra', pass, x_TD);
  },
};

const isProjected = (config: {embeddingSize: number; hiddenSize: number}) => config.embeddingSize !== config.hiddenSize;
