// The nouns of runs/: records as stored and as handed to the server. Times are milliseconds since 1970; ids are the last part of names.
import type {PlainError} from '../errors.js';
import type {Method} from '../pipeline/methods.js';
import type {Work} from '../pipeline/predict-cost.js';
import type {
  DataMapDiagnostics,
  DiagnosticThresholds,
  EarlyStopping,
  Evaluation,
  InstanceMetric,
  Selection,
  TrainingWarningCode,
  VariabilityEstimator,
  Watch,
} from '../pipeline/types.js';
import type {RunState} from './run-state.js';

export type {RunState} from './run-state.js';
export const runKinds = ['REFERENCE', 'MAIN', 'IMPORTED'] as const;
export type RunKind = (typeof runKinds)[number];

export interface DatasetRecord {
  id: string;
  uid: string;
  classNames: string[];
  /** Other spellings of each class, in class order. */
  classAliases: string[][];
  isTextPairs: boolean;
  splits: SplitRecord[];
  createTime: number;
  updateTime: number;
}

export interface SplitRecord {
  name: string;
  isOutOfDistribution: boolean;
  instanceCount: number;
  classCounts: number[];
  /** Where the values were found; undefined in splits that an earlier version imported. */
  columns?: {text: string; textPair?: string; label: string; id?: string};
  /** SHA-256, in hex, of the imported bytes, unpacked. */
  digest: string;
  createTime: number;
}

/** How to train, every default filled in. */
export interface TrainingSpec {
  dataset: string;
  trainSplit: string;
  evaluationSplits: string[];
  model: string;
  /** 0: all. */
  layers: number;
  maxLength: number;
  epochs: number;
  batchSize: number;
  learningRate: number;
  warmupRatio: number;
  weightDecay: number;
  precision: 'FLOAT32' | 'BFLOAT16';
  seed: number;
  evaluationIntervalSteps: number;
  executionTimeoutMs?: number;
  maxAttempts: number;
  priority: number;
  // Not of runs that older versions stored:
  /** The log keeps no logits. */
  discardLogits?: boolean;
  /** What the learning-rate schedule spans. */
  scheduleSpan?: 'STEP_BUDGET' | 'ERM_LENGTH';
  /** Evaluated once, with the weights that the run keeps. */
  testSplits?: string[];
}

/** Every default filled in. */
export type RunEarlyStopping = EarlyStopping & {evaluationIntervalSteps: number};

/** What callers may leave out. */
export type TrainingSpecInput = Partial<TrainingSpec> & Pick<TrainingSpec, 'dataset' | 'model'>;

export interface RunProgress {
  committedEpochs: number;
  totalEpochs: number;
  steps: number;
  totalSteps: number;
  keptSteps: number;
  stoppedEarly: boolean;
  estimatedRemainingMs?: number;
  /** Mean loss of the latest steps; undefined before the first. */
  trainLoss?: number;
}

export interface TrainingCost {
  acceleratorMs: number;
  wallMs: number;
  queueMs: number;
  trainedInstances: number;
  trainedTokens: number;
  flops: number;
  wastedAcceleratorMs: number;
  // Not of runs that older versions stored:
  /** Steps made, those lost with a worker included. */
  steps?: number;
  trainedRealTokens?: number;
  /** Undefined where it is not known. */
  peakMemoryBytes?: number;
  /** Undefined where the device does not tell. */
  energy?: {joules: number; source: EnergySource};
  phases?: Phases;
}

export type EnergySource = 'RAPL' | 'NVML';
export type Phase = 'loading' | 'training' | 'dynamics' | 'evaluation' | 'checkpoint';
/** What accelerator time went into. */
export type Phases = Record<Phase, {ms: number; flops: number}>;

/** What a model has cost with everything that it needed. */
export interface MethodCost {
  /** In the order of the work. */
  parts: CostPart[];
  /** Undefined where a part is not known. */
  acceleratorMs: number | undefined;
  flops: number;
  /** Of the run that it replaces; run: undefined where it is an estimate. Undefined where neither is known. */
  erm?: {run?: string; acceleratorMs: number | undefined; flops: number};
}

export interface CostPart {
  item: 'reference' | 'dynamics' | 'data-map' | 'main' | 'evaluation';
  acceleratorMs: number | undefined;
  flops: number;
}

/** What a run is expected to cost. */
export interface CostEstimate {
  /** Undefined where no rate is known. */
  source?: 'EARLIER_RUN' | 'MEASUREMENT';
  sourceRun?: string;
  /** Where the rate comes from, or why there is none. */
  note: string;
  /** To the end of the step budget. */
  acceleratorMs?: number;
  /** Under early stopping, were the first evaluation the best. */
  leastAcceleratorMs?: number;
  work: Work;
  /** Of a main run. */
  methodCost?: MethodCost;
}

export interface RunWarning {
  code: TrainingWarningCode | 'FEW_EASY_INSTANCES' | 'REFERENCE_INEFFECTIVE';
  message: string;
  steps: number;
}

export interface RunRecord {
  id: string;
  uid: string;
  /** Changes with every visible change. */
  etag: string;
  kind: RunKind;
  state: RunState;
  spec: TrainingSpec;
  /** Of a main run. */
  dataMap?: string;
  /** What that map selects. */
  selection?: Selection;
  attempt: number;
  progress: RunProgress;
  cost: TrainingCost;
  evaluations: Evaluation[];
  error?: PlainError;
  labels: Record<string, string>;
  createTime: number;
  startTime?: number;
  endTime?: number;
  updateTime: number;
  /** When it may be deleted; undefined where runs are kept, or while it has not ended. Not stored. */
  expireTime?: number;
  /** 1 is next; 0 when not pending. */
  queuePosition: number;
  /** file: URI of a folder in the hub's layout, once committed. */
  modelUri?: string;
  /** Who started it, as the server names callers; undefined where it asked nobody. */
  caller?: string;
  /** W3C traceparent of the RPC that made the run, for span links. */
  traceParent?: string;
  /** Of a main run that was asked for by method. */
  method?: Method;
  /** Of a main run; to the end of its budget when undefined. */
  earlyStopping?: RunEarlyStopping;
  warnings?: RunWarning[];
  // Not stored, but found when the run is asked for:
  methodCost?: MethodCost;
  costEstimate?: CostEstimate;
}

export interface DataMapRecord {
  id: string;
  run: string;
  dataset: string;
  trainSplit: string;
  epochs: {first: number; last: number};
  variabilityEstimator: VariabilityEstimator;
  selection: Selection;
  instanceCount: number;
  selectedCount: number;
  requestedCount: number;
  threshold?: number;
  thresholdTieCount: number;
  labelBalance: {className: string; selectedCount: number; instanceCount: number}[];
  diagnostics: DataMapDiagnostics;
  /** SHA-256, in hex, of confidence, variability, correctness, forgetting events (little-endian uint32), selected (bits). */
  digest: string;
  isFinal: boolean;
  createTime: number;
  // Not of maps that older versions stored:
  /** Time that it took to build. */
  buildMs?: number;
  /** Kept as columns. */
  metrics?: InstanceMetric[];
  scoreWindow?: number;
  labelShift?: number;
  inDistributionAccuracy?: number;
  /** The epochs used. */
  epochDiagnostics?: EpochDiagnostics[];
  thresholds?: DiagnosticThresholds;
}

/** Over all instances of a map. */
export interface EpochDiagnostics {
  epoch: number;
  accuracy: number;
  /** Mean. */
  pTrue: number;
  /** Mean, as the run told it. */
  trainLoss: number;
}

/** Columns of a data map, as read back. */
export interface DataMapColumns {
  confidence: Float32Array;
  variability: Float32Array;
  correctness: Uint32Array;
  forgettingEvents: Uint32Array;
  /** 0 or 1 an instance. */
  isSelected: Uint8Array;
  /** Of the selection's metric; empty where a region was selected. */
  scores: Float32Array;
  /** The scores kept; of the loss trajectory one an epoch, row after row. */
  metricColumns: {metric: InstanceMetric; values: Float32Array}[];
  instanceIds: string[];
}

/** An entry of a run's log. */
export type LogEvent =
  | {kind: 'run-changed'; run: RunRecord}
  | {kind: 'epoch-started'; epoch: number}
  | {
      kind: 'chunk';
      epoch: number;
      chunkIndex: number;
      firstInstance: number;
      instanceCount: number;
      numClasses: number;
      pTrue: Float32Array;
      /** Bit column, least significant bit first. */
      correctBits: Uint8Array;
      logits: Float32Array;
    }
  | {
      kind: 'epoch-committed';
      epoch: number;
      chunkCount: number;
      instanceCount: number;
      /** SHA-256, in hex, of the epoch's pTrue column. */
      digest: string;
      trainLoss: number;
      steps: number;
      cost: TrainingCost;
    }
  | {kind: 'evaluations-made'; evaluations: Evaluation[]; cost: TrainingCost; watch?: Watch}
  | {kind: 'run-warned'; warning: RunWarning}
  | {kind: 'epochs-discarded'; firstEpoch: number; steps: number; reason: string};

export interface StoredEvent {
  /** From 1, without gaps. */
  sequence: number;
  attempt: number;
  time: number;
  event: LogEvent;
}
