// What the runner and its child process say to each other. Errors cross as plain objects, columns as typed arrays.
import type {PlainError} from '../errors.js';
import type {Rates} from '../pipeline/predict-cost.js';
import type {
  EpochDynamics,
  Evaluation,
  TrainingEvent,
  TrainingWarningCode,
  WarningThresholds,
} from '../pipeline/types.js';
import type {Phases, RunEarlyStopping, TrainingSpec} from './types.js';

export interface SplitSource {
  split: string;
  isOutOfDistribution: boolean;
  /** Split file, named by its SHA-256. */
  file: string;
  sha256: string;
}

export interface CheckpointFile {
  file: string;
  sha256: string;
}

export interface TrainerJob {
  attempt: number;
  /** Folder of the run: checkpoints and the model to keep go there. */
  folder: string;
  /** Folder of tokenised columns. */
  tokensFolder: string;
  modelFolder: string;
  classNames: string[];
  spec: TrainingSpec;
  totalSteps: number;
  /** Updates that the learning-rate schedule spans; totalSteps when undefined. */
  scheduleSteps?: number;
  /** Between two checkpoints inside an epoch. */
  checkpointMs: number;
  train: SplitSource;
  evaluationSets: SplitSource[];
  /** Evaluated once, with the weights that the run keeps. */
  testSets: SplitSource[];
  earlyStopping?: RunEarlyStopping;
  /** Of the ERM run of the same model. */
  baseline?: Evaluation[];
  warningThresholds?: WarningThresholds;
  /** A main run, whose dynamics may be of less than two epochs. */
  isMain: boolean;
  /** Selected instances of a main run, ascending; all when undefined. */
  instances?: Int32Array;
  resume?: {
    checkpoint: CheckpointFile;
    steps: number;
    rounds: Evaluation[][];
    committedEpochs: EpochDynamics[];
    warned: TrainingWarningCode[];
    /** Weights of the best round so far. */
    best?: CheckpointFile & {steps: number};
  };
}

/** Texts and a model whose speed is asked for; instances: as in TrainerJob. */
export type MeasureJob = Pick<
  TrainerJob,
  'spec' | 'classNames' | 'modelFolder' | 'tokensFolder' | 'train' | 'evaluationSets' | 'testSets' | 'instances'
>;

export type ToTrainer =
  | {kind: 'start'; job: TrainerJob}
  | {kind: 'measure'; job: MeasureJob}
  /** What was announced last is kept: the epoch in the log, the checkpoint in the record. */
  | {kind: 'committed'}
  /** isLeaving: at a checkpoint, so that another attempt goes on from there. */
  | {kind: 'stop'; isLeaving: boolean};

type EpochEvent = Extract<TrainingEvent, {kind: 'epoch'}>;
type CheckpointEvent = Extract<TrainingEvent, {kind: 'checkpoint'}>;

/** What the attempt has spent so far. */
export interface Spent {
  phases: Phases;
  /** Most resident memory. */
  peakMemoryBytes: number;
}

export type FromTrainer =
  /** best: the weights of a round that is the best so far, on disk before this is said. */
  | {kind: 'event'; event: Exclude<TrainingEvent, EpochEvent | CheckpointEvent>; spent: Spent; best?: CheckpointFile}
  /** The checkpoint is on disk before this is said; training goes on once it is committed. */
  | {kind: 'epoch'; event: EpochEvent; spent: Spent; checkpoint: CheckpointFile}
  /** The same, inside an epoch. */
  | {kind: 'checkpoint'; steps: number; spent: Spent; checkpoint: CheckpointFile}
  /** Training is over. */
  | {kind: 'tested'; evaluations: Evaluation[]; spent: Spent}
  /** Folder in the hub's layout, whose name is the attempt's own. keptSteps: of the weights in it. */
  | {kind: 'done'; modelFolder: string; spent: Spent; keptSteps: number; rates: Rates | undefined}
  | {kind: 'measured'; rates: Rates}
  | {kind: 'stopped'}
  | {kind: 'failed'; error: PlainError}
  /** A bug: for our log, not for callers. */
  | {kind: 'broken'; stack: string};
