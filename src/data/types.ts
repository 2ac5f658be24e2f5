// The nouns that data/ hands out: examples as read, columns as tokenised, batches as fed.

/** One labelled text, or pair of texts. Its index is its position in the split. */
export interface Example {
  /** The caller's id, unique in the split. */
  uid: string;
  text: string;
  textPair?: string;
  /** Class index. */
  label: number;
}

/** Columns of a tokenised split: flat ids, with offsets; never padded. */
export interface TokenizedDataset {
  /** Token ids of all instances, one after the other, special tokens included. */
  inputIds: Int32Array;
  /** Length numInstances + 1; instance i is inputIds[offsets[i] .. offsets[i + 1]). */
  offsets: Int32Array;
  /** Position inside instance i from which on token types are 1, where the second text begins; its length where all are 0. */
  secondStarts: Int32Array;
  /** Class index of each instance. */
  labels: Int32Array;
  numClasses: number;
  padTokenId: number;
}

/** B instances padded to the longest of them, L tokens. */
export interface Batch {
  /** Position of each row in the dataset, [B]. */
  instances: Int32Array;
  /** [B * L], row-major. */
  inputIds: Int32Array;
  /** [B * L] of 0 and 1. */
  tokenTypeIds: Int32Array;
  /** [B * L], 1 for real tokens. */
  attentionMask: Int32Array;
  /** Class indices, [B]. */
  labels: Int32Array;
  batchSize: number;
  length: number;
}

/** A tokenizer of a model folder. Ids equal those of transformers' tokenizer(text, pair, truncation='longest_first'). */
export interface Tokenizer {
  padTokenId: number;
  vocabSize: number;
  /** Identifies the tokenizer's behaviour, for caching tokenised columns: a digest of its files. */
  digest: string;
  /** secondStart: from there on token types are 1; ids.length for single texts, and for pairs of a family without token types. */
  encode(text: string, textPair: string | undefined, maxLength: number): {ids: number[]; secondStart: number};
}

/** Of hidden layers and heads; tanh approximations of GELU under all of their names are gelu_new. */
export type Activation = 'gelu' | 'relu' | 'gelu_new' | 'tanh';

/** model_type of config.json. */
export type ModelType = 'bert' | 'roberta' | 'electra' | 'distilbert' | 'deberta-v2';

/** Of DeBERTa's attention: He et al., arXiv 2006.03654, and 2111.09543 for the buckets. */
export interface RelativePositions {
  /** Distances up to half of it have a bucket each, larger ones share them by logarithm; 0: each distance has its own. */
  buckets: number;
  /** Tokens apart that the last bucket is for. */
  maxDistance: number;
  /** Half the rows of the table that are used. */
  span: number;
  hasContentToPosition: boolean;
  hasPositionToContent: boolean;
  /** Positions pass through the projections of queries and keys. */
  isKeyShared: boolean;
  isNormed: boolean;
}

/** config.json of a model folder, checked: the same names for all families. The file itself is kept in `raw`. */
export interface ModelConfig {
  modelType: ModelType;
  vocabSize: number;
  /** Of the tables of embeddings; hiddenSize in most families. */
  embeddingSize: number;
  hiddenSize: number;
  numHiddenLayers: number;
  numAttentionHeads: number;
  intermediateSize: number;
  hiddenAct: Activation;
  hiddenDropoutProb: number;
  attentionProbsDropoutProb: number;
  /** Before the last layer of the heads for whole texts, for tokens, and for answers. */
  classifierDropout: number;
  tokenDropout: number;
  answerDropout: number;
  maxPositionEmbeddings: number;
  /** False where attention alone knows of positions. */
  hasPositionEmbeddings: boolean;
  /** 0 where there are none. */
  typeVocabSize: number;
  layerNormEps: number;
  initializerRange: number;
  padTokenId: number;
  /** What stands between the first token and a classifier, where the family leaves the choice. */
  pooler?: {dropout: number; activation: Activation};
  relativePositions?: RelativePositions;
  /** Over the embeddings, added to the first layer's output. */
  convolution?: {kernelSize: number; activation: Activation};
  /** The parsed file, for writing it back. */
  raw: Record<string, unknown>;
}

/** A tensor by name, whose values are read when asked for, so that large models are never in memory twice. */
export interface NamedTensor {
  name: string;
  shape: number[];
  /** float32, row-major. */
  read(): Float32Array;
}

/** An opened checkpoint folder: its config and its tensors under the names that its files give them. */
export interface Checkpoint {
  folder: string;
  config: ModelConfig;
  tensors: Map<string, NamedTensor>;
}
