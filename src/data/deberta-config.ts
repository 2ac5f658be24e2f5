// config.json of DeBERTa-v2 and v3 → ModelConfig. Defaults: transformers' DebertaV2Config.
import {commonFields} from './common-config.js';
import type {ConfigFields} from './config-fields.js';
import {brief} from './json-fields.js';
import type {ModelConfig, RelativePositions} from './types.js';

const maxPositions = 1 << 20;

export function debertaConfig(fields: ConfigFields): ModelConfig {
  const common = commonFields(fields, {typeVocabSize: 0, layerNormEps: 1e-7, padTokenId: 0});
  const {hiddenSize, numAttentionHeads, hiddenDropoutProb} = common;
  fields.only('attention_head_size', hiddenSize / numAttentionHeads);
  fields.only('pooler_hidden_size', hiddenSize);
  fields.only('conv_groups', 1);
  const kernelSize = fields.size('conv_kernel_size', 63, 0, 0);
  if (kernelSize > 0 && kernelSize % 2 === 0)
    throw fields.unsupported('conv_kernel_size', `conv_kernel_size ${kernelSize}`, 'an odd number');
  return {
    ...common,
    modelType: 'deberta-v2',
    embeddingSize: fields.size('embedding_size', 1 << 16, hiddenSize),
    classifierDropout: fields.share('cls_dropout', hiddenDropoutProb),
    tokenDropout: hiddenDropoutProb,
    hasPositionEmbeddings: fields.flag('position_biased_input', true),
    pooler: {dropout: fields.share('pooler_dropout', 0), activation: fields.activation('pooler_hidden_act', 'gelu')},
    relativePositions: relativePositions(fields, common.maxPositionEmbeddings),
    convolution: kernelSize > 0 ? {kernelSize, activation: fields.activation('conv_act', 'tanh')} : undefined,
  };
}

function relativePositions(fields: ConfigFields, maxPositionEmbeddings: number): RelativePositions | undefined {
  if (!fields.flag('relative_attention', false)) return undefined;
  const kinds = listed(fields, 'pos_att_type');
  const unknown = kinds.find(kind => kind !== 'c2p' && kind !== 'p2c');
  if (unknown !== undefined || kinds.length === 0)
    throw fields.unsupported('pos_att_type', `pos_att_type ${brief(unknown ?? 'none')}`, 'c2p, p2c or both');
  const unknownNorm = listed(fields, 'norm_rel_ebd').find(name => name !== 'layer_norm' && name !== 'none');
  if (unknownNorm) throw fields.unsupported('norm_rel_ebd', `norm_rel_ebd ${brief(unknownNorm)}`, 'layer_norm or none');
  const given = fields.size('max_relative_positions', maxPositions, -1, -1);
  const buckets = fields.size('position_buckets', maxPositions, -1, -1);
  const maxDistance = given > 0 ? given : maxPositionEmbeddings;
  if (buckets > 0 && (buckets < 2 || maxDistance - 1 <= buckets / 2))
    throw fields.invalid(
      `position_buckets must be from 2 to less than twice the ${maxDistance} relative positions, found ${buckets}`,
    );
  return {
    buckets: Math.max(buckets, 0),
    maxDistance,
    span: buckets > 0 ? buckets : maxDistance,
    hasContentToPosition: kinds.includes('c2p'),
    hasPositionToContent: kinds.includes('p2c'),
    isKeyShared: fields.flag('share_att_key', false),
    isNormed: listed(fields, 'norm_rel_ebd').includes('layer_norm'),
  };
}

/** A list, or names with bars between them, as older files have it. */
function listed(fields: ConfigFields, key: string): string[] {
  const value = fields.raw[key] ?? [];
  const names = typeof value === 'string' ? value.toLowerCase().split('|') : value;
  if (Array.isArray(names) && names.every(name => typeof name === 'string')) return names.map(name => name.trim());
  throw fields.invalid(`${key} must be a list of names, found ${brief(value)}`);
}
