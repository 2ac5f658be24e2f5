// A random encoder of two layers, made in memory: what the tests need that no file gives.
import type {Batch, Checkpoint, ModelConfig} from '../../src/data/types.js';
import {expectedParameters} from '../../src/model/parameters.js';
import {normals, randomStream} from '../../src/random.js';
import {toBatch} from './golden-models.js';

export const tinyConfig: ModelConfig = {
  modelType: 'bert',
  vocabSize: 50,
  embeddingSize: 8,
  hiddenSize: 8,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  intermediateSize: 16,
  hiddenAct: 'gelu',
  hiddenDropoutProb: 0.1,
  attentionProbsDropoutProb: 0.1,
  classifierDropout: 0.1,
  tokenDropout: 0.1,
  answerDropout: 0,
  maxPositionEmbeddings: 16,
  hasPositionEmbeddings: true,
  typeVocabSize: 2,
  layerNormEps: 1e-12,
  initializerRange: 0.02,
  padTokenId: 0,
  raw: {model_type: 'bert', architectures: ['BertModel'], num_hidden_layers: 2, hidden_size: 8, _name_or_path: 'tiny'},
};

/** Without pooler and head. */
export function tinyCheckpoint(config = tinyConfig): Checkpoint {
  const encoder = expectedParameters(config, 3).filter(({name}) => name.match(/^bert\.(embeddings|encoder)/));
  const tensors = encoder.map(({name, shape}, index) => {
    const size = shape.reduce((product, n) => product * n, 1);
    const offset = name.endsWith('LayerNorm.weight') ? 1 : 0;
    const values = normals(size, randomStream(1, 'data', index)).map(value => offset + 0.3 * value);
    return [name, {name, shape, read: () => values.slice()}] as const;
  });
  return {folder: 'tiny', config, tensors: new Map(tensors)};
}

/** Rows of 7, 3 and 5 tokens. */
export function tinyBatch(): Batch {
  const lengths = [7, 3, 5];
  return toBatch({
    input_ids: lengths.map((n, row) => Array.from({length: n}, (_, i) => 1 + ((row * 17 + i * 5) % 49))),
    token_type_ids: lengths.map(n => Array.from({length: n}, (_, i) => (i > 2 ? 1 : 0))),
    attention_mask: lengths.map(n => new Array(n).fill(1)),
    labels: [0, 2, 1],
  });
}
