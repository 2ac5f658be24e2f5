// config.json of a model folder → ModelConfig, checked key by key; what this version cannot compute is refused by name. The names and defaults
// of the keys are those of each family's config class in transformers; the sizes have no default.
import {commonFields} from './common-config.js';
import {ConfigFields} from './config-fields.js';
import {debertaConfig} from './deberta-config.js';
import {brief, parseJson} from './json-fields.js';
import type {ModelConfig, ModelType} from './types.js';

const readers: Record<ModelType, (fields: ConfigFields) => ModelConfig> = {
  bert: bertConfig,
  roberta: robertaConfig,
  electra: electraConfig,
  distilbert: distilbertConfig,
  'deberta-v2': debertaConfig,
};

/**
 * A file without model_type passes as BERT when it has its keys, as the oldest BERT checkpoints do. FAILED_PRECONDITION/MODEL_INVALID, or
 * UNIMPLEMENTED/NOT_SUPPORTED for other families and for variants that compute something else.
 */
export function parseModelConfig(file: string, text: string): ModelConfig {
  const fields = new ConfigFields(file, parseJson(file, text));
  const modelType = fields.raw.model_type ?? 'bert';
  if (typeof modelType !== 'string' || !Object.hasOwn(readers, modelType))
    throw fields.unsupported('model_type', `model family ${brief(modelType)}`, Object.keys(readers).join(', '));
  fields.only('position_embedding_type', 'absolute');
  fields.only('is_decoder', false);
  const config = readers[modelType as ModelType](fields);
  const {hiddenSize, numAttentionHeads, padTokenId, vocabSize} = config;
  if (hiddenSize % numAttentionHeads !== 0)
    throw fields.invalid(
      `the hidden size must be a multiple of the number of attention heads, found ${hiddenSize} and ${numAttentionHeads}`,
    );
  if (padTokenId >= vocabSize)
    throw fields.invalid(`pad_token_id must be below vocab_size ${vocabSize}, found ${padTokenId}`);
  return config;
}

function bertConfig(fields: ConfigFields): ModelConfig {
  return typed(fields, commonFields(fields, {typeVocabSize: 2, layerNormEps: 1e-12, padTokenId: 0}));
}

function robertaConfig(fields: ConfigFields): ModelConfig {
  const config = typed(fields, commonFields(fields, {typeVocabSize: 2, layerNormEps: 1e-12, padTokenId: 1}));
  // Positions begin behind the padding's own.
  const least = config.padTokenId + 2;
  if (config.maxPositionEmbeddings < least)
    throw fields.invalid(`max_position_embeddings must be at least ${least}, found ${config.maxPositionEmbeddings}`);
  return {...config, modelType: 'roberta'};
}

function electraConfig(fields: ConfigFields): ModelConfig {
  const config = typed(fields, commonFields(fields, {typeVocabSize: 2, layerNormEps: 1e-12, padTokenId: 0}));
  return {...config, modelType: 'electra', embeddingSize: fields.size('embedding_size', 1 << 16, 128)};
}

/** A table of types is needed where one is read. */
function typed(fields: ConfigFields, config: ModelConfig): ModelConfig {
  if (config.typeVocabSize > 0) return config;
  throw fields.invalid('type_vocab_size must be at least 1, found 0');
}

function distilbertConfig(fields: ConfigFields): ModelConfig {
  const hiddenSize = fields.size('dim', 1 << 16);
  const dropout = fields.share('dropout', 0.1);
  return {
    modelType: 'distilbert',
    vocabSize: fields.size('vocab_size', 1 << 24),
    embeddingSize: hiddenSize,
    hiddenSize,
    numHiddenLayers: fields.size('n_layers', 1 << 10),
    numAttentionHeads: fields.size('n_heads', 1 << 10),
    intermediateSize: fields.size('hidden_dim', 1 << 18),
    hiddenAct: fields.activation('activation', 'gelu'),
    hiddenDropoutProb: dropout,
    attentionProbsDropoutProb: fields.share('attention_dropout', 0.1),
    classifierDropout: fields.share('seq_classif_dropout', 0.2),
    tokenDropout: dropout,
    answerDropout: fields.share('qa_dropout', 0.1),
    maxPositionEmbeddings: fields.size('max_position_embeddings', 1 << 20),
    hasPositionEmbeddings: true,
    typeVocabSize: 0,
    layerNormEps: 1e-12,
    initializerRange: fields.positive('initializer_range', 0.02),
    padTokenId: fields.size('pad_token_id', 1 << 24, 0, 0),
    raw: fields.raw,
  };
}
