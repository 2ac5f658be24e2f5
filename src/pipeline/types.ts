// The nouns on the arrows between the stages, in order.
export type {Example, TokenizedDataset} from '../data/types.js';
export type * from './training-types.js';

/** Columns of one epoch over the trained instances, in ascending instance order (for a subset: position in the subset). */
export interface EpochDynamics {
  /** [numInstances]; probability of the gold label, float32 softmax of the logits. */
  pTrue: Float32Array;
  /** [numInstances] of 0 and 1; arg-max, the first of equal maxima, is the gold label. */
  isCorrect: Uint8Array;
  /** [numInstances * numClasses], from the training forward pass, before the update that used the instance. */
  logits: Float32Array;
}

/** An epoch of which some instances were visited. */
export interface PartialEpoch {
  /** 0 where an instance was not visited. */
  dynamics: EpochDynamics;
  /** [numInstances] of 0 and 1. */
  visited: Uint8Array;
  /** Of the cross-entropy of the instances visited. */
  lossSum: number;
  /** Spent on its steps. */
  seconds: number;
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

/** Scores of an instance that follow from the columns that every map has. */
export type ColumnMetric =
  | 'variability'
  | 'confidence'
  | 'correctness'
  | 'threshold-closeness'
  | 'forgetting'
  | 'forgetting-count'
  | 'l1-error';
/** Scores that are computed from pTrue and isCorrect, epoch by epoch, while the map is built. */
export type EpochMetric =
  | 'first-learned'
  | 'presentations-to-learn'
  | 'aleatoric-uncertainty'
  | 'loss'
  | 'loss-trajectory'
  | 'dyn-unc'
  | 'dyn-unc-released'
  | 'dual';
/** Scores that need the logits and the gold labels. */
export type LogitMetric =
  | 'el2n'
  | 'max-margin-error'
  | 'sum-margin-error'
  | 'area-under-margin'
  | 'accumulated-margin'
  | 'entropy'
  | 'final-entropy'
  | 'tdds';
/** What each is: instance-scores.ts. */
export type InstanceMetric = ColumnMetric | EpochMetric | LogitMetric;

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
  /** 1 where the last epoch used was wrong: the error set of JTT. */
  isWrongAtLast: Uint8Array;
  /** Over all instances, one value for each epoch used. */
  epochMeans: {pTrue: number; accuracy: number}[];
  /** The scores asked for that need more than these columns; of the loss trajectory one an epoch, row after row. */
  scores: Partial<Record<EpochMetric | LogitMetric, Float32Array>>;
}

export type Region =
  | 'ambiguous'
  | 'hard-to-learn'
  | 'easy-to-learn'
  | 'easy-complement'
  | 'random'
  /** Wrong at the last epoch, whatever the share. */
  | 'error-set';
export type SelectionRule = 'upstream-quantile' | 'rank' | 'cartography-head';
/** Each class gives the same share of its own, or each the same number as far as it has them. */
export type ClassBalance = 'none' | 'proportional' | 'equal';

export type Criterion =
  | {region: Region}
  /** both-ends: cartography's 70 % of the informative end and 30 % of the other. */
  | {metric: InstanceMetric; order: 'highest-first' | 'lowest-first' | 'both-ends'}
  /** In any of the first regions and in none of the others, each taken at the selection's share. */
  | {anyOf: Region[]; noneOf: Region[]}
  /** Coverage-centric selection: without the hardest share, equal budgets over strata of equal width. */
  | {stratified: {metric: InstanceMetric; hardestShareDropped: number; numStrata: number}}
  /** S2L: equal budgets over clusters of loss trajectories. */
  | {clustered: {numClusters: number; numIterations: number}};

/** How much is selected: a share q, (0, 1] at the API, [0, 1] for the functions; or a number, which then counts. */
export interface SelectionSize {
  fraction: number;
  count?: number;
}

export interface Selection extends SelectionSize {
  criterion: Criterion;
  rule: SelectionRule;
  /** Of all that is drawn: the random region, strata, clusters. */
  seed: number;
  /** None when undefined. */
  classBalance?: ClassBalance;
}

/** Outcome of stage 4. */
export interface Subset {
  /** Selected instances, ascending. */
  instances: Int32Array;
  /** round(q * N), halves up; of each region where regions are joined. */
  requestedCount: number;
  /** Score at the edge: variability, minus confidence (hard-to-learn), confidence (easy-to-learn), or the metric itself.
   * Undefined where no one score is the edge: random, joined, drawn and class-balanced selections, and scores that are not finite. */
  threshold: number | undefined;
  /** Instances whose score equals the threshold; over all classes in a class-balanced selection. */
  thresholdTieCount: number;
  /** Instances of equal score are in for one part and out for the other, or out though there was room for some. */
  doTiesDecide: boolean;
  /** Score of the metric for each instance of the map; undefined where no metric was ranked. */
  scores: Float32Array | undefined;
}

export type ReferenceVerdict = 'effective' | 'doubtful' | 'ineffective' | 'undecided';

/** Where our heuristics draw the line; the paper gives no numbers. */
export interface DiagnosticThresholds {
  /** Least share of the way from chance to complete overlap of the ambiguous and hard-to-learn regions, for `effective`. */
  overlapExcess: number;
  /** Least share of the way from the majority class to 1 that accuracy in distribution has gone, for `effective`. */
  accuracySkill: number;
  /** Most that mean pTrue may rise in the last epoch of a reference that has converged. */
  lastEpochGain: number;
  /** Most that the labels of the selection may shift from those of the split. */
  labelShift: number;
  /** Most of the instances that may be right at no epoch. */
  neverLearned: number;
}

/** What is known beside the map. What is undefined is neither judged nor warned of. */
export interface DiagnosticFacts {
  /** What was selected. */
  subset?: Subset;
  /** Instances of each class, of the selection and of the map. */
  classCounts?: {selected: number[]; all: number[]};
  /** Accuracy of the reference, mean over the evaluation sets that are in distribution. */
  inDistributionAccuracy?: number;
  thresholds?: DiagnosticThresholds;
}

export interface DataMapDiagnostics {
  easyRatio: number;
  hardAmbiguousOverlap: number;
  neverLearnedRatio: number;
  /** Mean pTrue of the last epoch used minus that of the one before; undefined for one epoch. */
  lastEpochGain?: number;
  verdict: ReferenceVerdict;
  verdictReason: string;
  /** Sentences, most important first: what to look at before the map is used. */
  warnings: string[];
}
