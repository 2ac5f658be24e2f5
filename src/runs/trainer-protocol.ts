// What the runner and its child process say to each other. Errors cross as plain objects, columns as typed arrays.
import type {PlainError} from '../errors.js';
import type {EpochDynamics, TrainingEvent} from '../pipeline/types.js';
import type {TrainingSpec} from './types.js';

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
  train: SplitSource;
  evaluationSets: SplitSource[];
  /** Selected instances of a main run, ascending; all when undefined. */
  instances?: Int32Array;
  resume?: {
    checkpoint: CheckpointFile;
    steps: number;
    evaluatedSteps: number;
    committedEpochs: EpochDynamics[];
  };
}

export type ToTrainer =
  | {kind: 'start'; job: TrainerJob}
  /** The epoch announced last is in the log. */
  | {kind: 'committed'}
  | {kind: 'stop'};

type EpochEvent = Extract<TrainingEvent, {kind: 'epoch'}>;

export type FromTrainer =
  | {kind: 'event'; event: Exclude<TrainingEvent, EpochEvent>; flops: number}
  /** The checkpoint is on disk before this is said; training goes on once it is committed. */
  | {kind: 'epoch'; event: EpochEvent; flops: number; checkpoint: CheckpointFile; checkpointSeconds: number}
  /** Folder in the hub's layout, whose name is the attempt's own. */
  | {kind: 'done'; modelFolder: string; flops: number}
  | {kind: 'stopped'}
  | {kind: 'failed'; error: PlainError}
  /** A bug: for our log, not for callers. */
  | {kind: 'broken'; stack: string};
