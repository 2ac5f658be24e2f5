// config.json of a model folder → ModelConfig, checked key by key; what this version cannot compute is refused by name.
import {FtftError} from '../errors.js';
import type {Activation, ModelConfig} from './types.js';

/** tanh approximations under both of their names are one activation. */
const activations: Record<string, Activation> = {
  gelu: 'gelu',
  relu: 'relu',
  tanh: 'tanh',
  gelu_new: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
};

/**
 * Defaults are those of transformers' BertConfig; the sizes have none. A file without model_type passes as BERT when it has its keys, as
 * the oldest BERT checkpoints do. FAILED_PRECONDITION/MODEL_INVALID, or UNIMPLEMENTED/NOT_SUPPORTED for other families.
 */
export function parseModelConfig(file: string, text: string): ModelConfig {
  const raw = parseObject(file, text);
  const modelType = raw.model_type ?? 'bert';
  if (modelType !== 'bert') throw unsupported(file, `model family ${brief(modelType)}`, 'bert', 'model_type');
  const size = (key: string, most: number, fallback?: number) =>
    number(
      file,
      key,
      raw[key] ?? fallback,
      value => Number.isInteger(value) && value >= 1 && value <= most,
      `a whole number from 1 to ${most}`,
    );
  const share = (key: string, fallback: number) =>
    number(file, key, raw[key] ?? fallback, value => value >= 0 && value < 1, 'a number in [0, 1)');
  const positive = (key: string, fallback: number) =>
    number(file, key, raw[key] ?? fallback, value => value > 0 && value < 1, 'a number in (0, 1)');
  const hiddenDropoutProb = share('hidden_dropout_prob', 0.1);
  const classifierDropout = share('classifier_dropout', hiddenDropoutProb);
  const hiddenSize = size('hidden_size', 1 << 16);
  const config: ModelConfig = {
    modelType,
    vocabSize: size('vocab_size', 1 << 24),
    embeddingSize: hiddenSize,
    hiddenSize,
    numHiddenLayers: size('num_hidden_layers', 1 << 10),
    numAttentionHeads: size('num_attention_heads', 1 << 10),
    intermediateSize: size('intermediate_size', 1 << 18),
    hiddenAct: activation(file, raw.hidden_act ?? 'gelu'),
    hiddenDropoutProb,
    attentionProbsDropoutProb: share('attention_probs_dropout_prob', 0.1),
    classifierDropout,
    tokenDropout: classifierDropout,
    answerDropout: 0,
    maxPositionEmbeddings: size('max_position_embeddings', 1 << 20),
    typeVocabSize: size('type_vocab_size', 1 << 10, 2),
    layerNormEps: positive('layer_norm_eps', 1e-12),
    initializerRange: positive('initializer_range', 0.02),
    padTokenId: number(file, 'pad_token_id', raw.pad_token_id ?? 0, Number.isInteger, 'a whole number'),
    raw,
  };
  const {numAttentionHeads, padTokenId, vocabSize} = config;
  if (hiddenSize % numAttentionHeads !== 0)
    throw invalid(
      file,
      `hidden_size must be a multiple of num_attention_heads, found ${hiddenSize} and ${numAttentionHeads}`,
    );
  if (padTokenId < 0 || padTokenId >= vocabSize)
    throw invalid(file, `pad_token_id must be below vocab_size ${vocabSize}, found ${padTokenId}`);
  refuseVariants(file, raw);
  return config;
}

/** Variants of BERT that compute something else: silently wrong numbers otherwise. */
function refuseVariants(file: string, raw: Record<string, unknown>): void {
  const positions = raw.position_embedding_type ?? 'absolute';
  if (positions !== 'absolute')
    throw unsupported(file, `position_embedding_type ${brief(positions)}`, 'absolute', 'position_embedding_type');
  if (raw.is_decoder === true) throw unsupported(file, 'is_decoder true', 'an encoder', 'is_decoder');
}

function activation(file: string, name: unknown): Activation {
  if (typeof name === 'string' && Object.hasOwn(activations, name)) return activations[name];
  throw unsupported(file, `hidden_act ${brief(name)}`, `one of ${Object.keys(activations).join(', ')}`, 'hidden_act');
}

function number(
  file: string,
  key: string,
  value: unknown,
  isRight: (value: number) => boolean,
  expected: string,
): number {
  if (typeof value === 'number' && isRight(value)) return value;
  throw invalid(file, `${key} must be ${expected}, found ${value === undefined ? 'none' : brief(value)}`);
}

function parseObject(file: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(file, `it must be JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw invalid(file, `it must be a JSON object, found ${brief(value)}`);
}

function brief(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 80) : JSON.stringify(value).slice(0, 80);
}

function invalid(file: string, expected: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot use ${file}: ${expected}`, {reason: 'MODEL_INVALID'});
}

function unsupported(file: string, what: string, expected: string, field: string): FtftError {
  return new FtftError('UNIMPLEMENTED', `Cannot use ${file}: ${what} is not supported yet: expected ${expected}`, {
    reason: 'NOT_SUPPORTED',
    metadata: {field},
  });
}
