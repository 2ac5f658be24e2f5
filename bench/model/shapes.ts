// Shapes of encoders by name: what the benchmarks train instead of a checkpoint, since no time depends on the values of the weights.

/** config.json, from which both sides build the same model. */
export type RawConfig = Record<string, unknown>;

export interface Shape {
  title: string;
  config: RawConfig;
}

interface Sizes {
  layers: number;
  hidden: number;
  heads: number;
  intermediate: number;
  vocabulary?: number;
  positions?: number;
}

const sizes = ({layers, hidden, heads, intermediate, vocabulary = 30522, positions = 512}: Sizes): RawConfig => ({
  num_hidden_layers: layers,
  hidden_size: hidden,
  num_attention_heads: heads,
  intermediate_size: intermediate,
  vocab_size: vocabulary,
  max_position_embeddings: positions,
  hidden_act: 'gelu',
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  initializer_range: 0.02,
  pad_token_id: 0,
});

const bert = (shape: Sizes): RawConfig => ({
  model_type: 'bert',
  ...sizes(shape),
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
});

const electra = (shape: Sizes, embedding: number): RawConfig => ({
  ...bert(shape),
  model_type: 'electra',
  embedding_size: embedding,
});

const debertaV3 = (shape: Sizes): RawConfig => ({
  model_type: 'deberta-v2',
  ...sizes({...shape, vocabulary: 128100}),
  type_vocab_size: 0,
  layer_norm_eps: 1e-7,
  relative_attention: true,
  position_buckets: 256,
  norm_rel_ebd: 'layer_norm',
  share_att_key: true,
  pos_att_type: ['p2c', 'c2p'],
  max_relative_positions: -1,
  position_biased_input: false,
});

export const shapes = {
  minilm: {title: 'MiniLM 6x384', config: bert({layers: 6, hidden: 384, heads: 12, intermediate: 1536})},
  tinybert: {title: 'TinyBERT 4x312', config: bert({layers: 4, hidden: 312, heads: 12, intermediate: 1200})},
  'electra-small': {
    title: 'ELECTRA-small 12x256',
    config: electra({layers: 12, hidden: 256, heads: 4, intermediate: 1024}, 128),
  },
  'deberta-v3-small': {
    title: 'DeBERTa-v3-small 6x768',
    config: debertaV3({layers: 6, hidden: 768, heads: 12, intermediate: 3072}),
  },
  'bert-large': {title: 'BERT-large 24x1024', config: bert({layers: 24, hidden: 1024, heads: 16, intermediate: 4096})},
  toy: {
    title: 'toy 2x64',
    config: bert({layers: 2, hidden: 64, heads: 4, intermediate: 256, vocabulary: 1000, positions: 128}),
  },
} satisfies Record<string, Shape>;

export type ShapeName = keyof typeof shapes;
