// The nouns on the arrows between the stages, in order.
import type {TokenizedDataset} from '../data/types.js';

export type {Example, TokenizedDataset} from '../data/types.js';

/** How stages 2 and 5 train. Every field is required: defaults are filled in at the edge. */
export interface TrainingOptions {
  /** Number of optimizer updates. */
  totalSteps: number;
  batchSize: number;
  /** Peak learning rate. */
  learningRate: number;
  warmupRatio: number;
  seed: number;
  /** Steps between two evaluations; one is made after the last step too. */
  evaluationIntervalSteps: number;
  /** Splits to evaluate, in this order. */
  evaluationSets: EvaluationSet[];
  /** Checked before each step. */
  signal?: AbortSignal;
  /** Where an interrupted training goes on: after this many steps, at an epoch boundary. */
  resume?: ResumePoint;
}

export interface ResumePoint {
  steps: number;
  committedEpochs: EpochDynamics[];
  /** Steps of the last evaluation that is kept. Where it falls short of one due at `steps`, that one is made first. */
  evaluatedSteps?: number;
}

export interface EvaluationSet {
  split: string;
  isOutOfDistribution: boolean;
  dataset: TokenizedDataset;
}

/** Columns of one epoch over the trained instances, in ascending instance order (for a subset: position in the subset). */
export interface EpochDynamics {
  /** [numInstances]; probability of the gold label, float32 softmax of the logits. */
  pTrue: Float32Array;
  /** [numInstances] of 0 and 1; arg-max, the first of equal maxima, is the gold label. */
  isCorrect: Uint8Array;
  /** [numInstances * numClasses], from the training forward pass, before the update that used the instance. */
  logits: Float32Array;
}

/** The dynamics of a run: whole epochs only. */
export interface TrainingDynamics {
  /** Trained instances, ascending index in the split. */
  instances: Int32Array;
  /** Gold class of each trained instance. */
  labels: Int32Array;
  numClasses: number;
  epochs: EpochDynamics[];
}

export type VariabilityEstimator = 'sample' | 'population' | 'active-bias-ci';

/** Columns of a data map, one value an instance. */
export interface DataMap {
  numInstances: number;
  /** Epochs used, 0-based, inclusive. */
  epochs: {first: number; last: number};
  variabilityEstimator: VariabilityEstimator;
  /** Mean pTrue, [0, 1]. */
  confidence: Float32Array;
  /** Spread of pTrue by the estimator; NaN when it is not defined (sample deviation of one epoch). */
  variability: Float32Array;
  /** Epochs right, 0..E. */
  correctness: Uint32Array;
  /** Times right at an epoch and wrong at the next; 0 also for an instance never right. */
  forgettingEvents: Uint32Array;
}

export type Region = 'ambiguous' | 'hard-to-learn' | 'easy-to-learn' | 'easy-complement' | 'random';
/** Metrics of one instance that a map can be ranked by in this version, without logits. */
export type InstanceMetric = 'variability' | 'confidence' | 'correctness' | 'threshold-closeness' | 'forgetting';
export type SelectionRule = 'upstream-quantile' | 'rank';

export interface Selection {
  criterion: {region: Region} | {metric: InstanceMetric; order: 'highest-first' | 'lowest-first'};
  /** Share q, (0, 1] at the API; the functions accept [0, 1]. */
  fraction: number;
  rule: SelectionRule;
  /** Of the random region. */
  seed: number;
}

/** Outcome of stage 4. */
export interface Subset {
  /** Selected instances, ascending. */
  instances: Int32Array;
  /** round(q * N), halves up. */
  requestedCount: number;
  /** Score at the edge: variability, minus confidence (hard-to-learn), confidence (easy-to-learn), or the metric itself.
   * Undefined for random, easy complement and scores that are not finite. */
  threshold: number | undefined;
  /** Instances whose score equals the threshold. */
  thresholdTieCount: number;
  /** Score of the metric for each instance of the map; undefined for a region. */
  scores: Float32Array | undefined;
}

export type ReferenceVerdict = 'effective' | 'doubtful' | 'ineffective' | 'undecided';

export interface DataMapDiagnostics {
  easyRatio: number;
  hardAmbiguousOverlap: number;
  neverLearnedRatio: number;
  verdict: ReferenceVerdict;
  verdictReason: string;
}

export interface Evaluation {
  split: string;
  isOutOfDistribution: boolean;
  accuracy: number;
  macroF1: number;
  /** Mean cross-entropy. */
  loss: number;
  instanceCount: number;
  /** Updates made when it was made. */
  steps: number;
  committedEpochs: number;
}

/** What training tells the world, in order. An epoch comes before the evaluations due at the same step. */
export type TrainingEvent =
  | {kind: 'epoch-started'; epoch: number}
  | {
      kind: 'step';
      /** Updates made so far, this one included. */
      steps: number;
      loss: number;
      gradNorm: number;
      learningRate: number;
      /** Instances and tokens (padding included) of this step. */
      instances: number;
      tokens: number;
      /** Wall time of this step. */
      seconds: number;
    }
  | {kind: 'epoch'; epoch: number; steps: number; trainLoss: number; dynamics: EpochDynamics; seconds: number}
  /** The last epoch was not whole: its dynamics are dropped, and this says so. */
  | {kind: 'partial-epoch-dropped'; epoch: number; visited: number; numInstances: number}
  | {kind: 'evaluations'; steps: number; committedEpochs: number; evaluations: Evaluation[]; seconds: number};
