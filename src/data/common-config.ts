// The fields of config.json that all families but DistilBERT have under the same names.
import type {ConfigFields} from './config-fields.js';
import type {ModelConfig} from './types.js';

interface Defaults {
  typeVocabSize: number;
  layerNormEps: number;
  padTokenId: number;
}

export function commonFields(fields: ConfigFields, defaults: Defaults): ModelConfig {
  const hiddenSize = fields.size('hidden_size', 1 << 16);
  const hiddenDropoutProb = fields.share('hidden_dropout_prob', 0.1);
  const classifierDropout = fields.share('classifier_dropout', hiddenDropoutProb);
  return {
    modelType: 'bert',
    vocabSize: fields.size('vocab_size', 1 << 24),
    embeddingSize: hiddenSize,
    hiddenSize,
    numHiddenLayers: fields.size('num_hidden_layers', 1 << 10),
    numAttentionHeads: fields.size('num_attention_heads', 1 << 10),
    intermediateSize: fields.size('intermediate_size', 1 << 18),
    hiddenAct: fields.activation('hidden_act', 'gelu'),
    hiddenDropoutProb,
    attentionProbsDropoutProb: fields.share('attention_probs_dropout_prob', 0.1),
    classifierDropout,
    tokenDropout: classifierDropout,
    answerDropout: 0,
    maxPositionEmbeddings: fields.size('max_position_embeddings', 1 << 20),
    hasPositionEmbeddings: true,
    typeVocabSize: fields.size('type_vocab_size', 1 << 10, defaults.typeVocabSize, 0),
    layerNormEps: fields.positive('layer_norm_eps', defaults.layerNormEps),
    initializerRange: fields.positive('initializer_range', 0.02),
    padTokenId: fields.size('pad_token_id', 1 << 24, defaults.padTokenId, 0),
    raw: fields.raw,
  };
}
