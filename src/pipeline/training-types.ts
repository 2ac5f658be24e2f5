// The nouns of training and evaluation: how it is to go, what it tells, what is measured.
import type {TokenizedDataset} from '../data/types.js';
import type {Interval} from '../intervals.js';
import type {EpochDynamics, PartialEpoch} from './types.js';

/** How stages 2 and 5 train. Every field is required: defaults are filled in at the edge. */
export interface TrainingOptions {
  /** Number of optimizer updates at most: early stopping may end training before. */
  totalSteps: number;
  /** Updates that the learning-rate schedule spans, at least totalSteps; totalSteps when undefined. */
  scheduleSteps?: number;
  batchSize: number;
  /** Peak learning rate. */
  learningRate: number;
  warmupRatio: number;
  seed: number;
  /** Steps between two evaluations; one is made after the last step too. */
  evaluationIntervalSteps: number;
  /** Splits to evaluate, in this order. */
  evaluationSets: EvaluationSet[];
  /** To the end of totalSteps when undefined. */
  earlyStopping?: EarlyStopping;
  /** Of the ERM run of the same model, where there is one: warnings compare with it. */
  baseline?: Evaluation[];
  /** Our defaults when undefined. */
  warningThresholds?: WarningThresholds;
  /** Checked before each step. */
  signal?: AbortSignal;
  /** Asked after each step, and when the signal ends an evaluation: true for a `checkpoint` event. Never one when undefined. */
  isCheckpointDue?: () => boolean;
  /** Where an interrupted training goes on. */
  resume?: ResumePoint;
}

export interface ResumePoint {
  steps: number;
  committedEpochs: EpochDynamics[];
  /** What was recorded of the epoch after these, where the steps end inside it. */
  partialEpoch?: PartialEpoch;
  /** The rounds of evaluation that are kept, in order. Where the last falls short of one due at `steps`, that one is made first. */
  rounds?: Evaluation[][];
  /** What was warned of already. */
  warned?: TrainingWarningCode[];
}

/** When training ends before its budget is used up. */
export interface EarlyStopping {
  metric: 'accuracy' | 'macro-f1' | 'loss';
  /** Evaluation sets that are watched, at least one; they are development sets then, no longer test sets. */
  splits: string[];
  /** What is watched of their values, none weighted. */
  aggregate: 'mean' | 'worst';
  /** Rounds without a new best after which training ends, at least 1. */
  patience: number;
}

/** Early stopping after a round of evaluation. */
export interface Watch {
  score: number;
  /** The weights of this round are the ones to keep so far. */
  isBest: boolean;
  bestScore: number;
  bestSteps: number;
  roundsSinceBest: number;
  /** Training ends here. */
  isOver: boolean;
}

export type TrainingWarningCode = 'OUT_OF_DISTRIBUTION_GAP' | 'NOT_CONVERGING';

/** A mark of a training that will not give what was hoped for. */
export interface TrainingWarning {
  code: TrainingWarningCode;
  /** What was found, and beside what. */
  message: string;
  steps: number;
}

/** Where our heuristics draw the line; the paper gives no numbers. */
export interface WarningThresholds {
  /** Most by which accuracy may fall further from in to out of distribution than that of ERM does. */
  outOfDistributionGap: number;
  /** Least share of the way from the loss of guessing to 0 that the mean training loss has gone in the last quarter of the budget. */
  lossDrop: number;
}

export interface EvaluationSet {
  split: string;
  isOutOfDistribution: boolean;
  dataset: TokenizedDataset;
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
  // Not of runs that older versions stored:
  /** 95 % interval of the accuracy, Wilson's: chance among the instances, not among seeds. */
  accuracyInterval?: Interval;
  /** Expected calibration error, [0, 1]: evaluate.ts. */
  calibrationError?: number;
  /** One a class. */
  classCounts?: ClassCount[];
}

/** Instances of a class: by their label, by what was predicted, and by both. */
export interface ClassCount {
  gold: number;
  predicted: number;
  correct: number;
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
      /** Tokens without padding. */
      realTokens: number;
      /** Wall time of this step, dynamics included, and the part of it that they took. */
      seconds: number;
      dynamicsSeconds: number;
    }
  /** Inside an epoch, when it was asked for: what was recorded of it so far. */
  | {kind: 'checkpoint'; epoch: number; steps: number; partialEpoch: PartialEpoch}
  | {
      kind: 'epoch';
      epoch: number;
      steps: number;
      trainLoss: number;
      dynamics: EpochDynamics;
      seconds: number;
      warnings: TrainingWarning[];
    }
  /** The last epoch was not whole: its dynamics are dropped, and this says so. */
  | {
      kind: 'partial-epoch-dropped';
      epoch: number;
      visited: number;
      numInstances: number;
      warnings: TrainingWarning[];
    }
  | {
      kind: 'evaluations';
      steps: number;
      committedEpochs: number;
      evaluations: Evaluation[];
      seconds: number;
      warnings: TrainingWarning[];
      /** Under early stopping. */
      watch?: Watch;
    };
