// Records and events for the server's tests, with every field set.
import type {DataMapComparison} from '../../src/pipeline/compare-data-maps.js';
import type {DataMapColumns, DataMapRecord, DatasetRecord, LogEvent, RunRecord} from '../../src/runs/types.js';

export const time = Date.UTC(2025, 0, 2, 3, 4, 5);
export const uid = '8c1c7d1e-6f6c-4a53-9f3e-0a4a1f5f9b01';

export const noCost = {
  acceleratorMs: 0,
  wallMs: 0,
  queueMs: 0,
  trainedInstances: 0,
  trainedTokens: 0,
  flops: 0,
  wastedAcceleratorMs: 0,
};

export const datasetRecord = (id: string): DatasetRecord => ({
  id,
  uid,
  classNames: ['negative', 'positive'],
  classAliases: [[], ['1']],
  isTextPairs: false,
  splits: [
    {
      ...{name: 'train', isOutOfDistribution: false, instanceCount: 4, classCounts: [1, 3], digest: 'ab'},
      columns: {text: 'text', label: 'stars'},
      createTime: time,
    },
  ],
  createTime: time,
  updateTime: time + 1,
});

export const runRecord = (id: string, changes: Partial<RunRecord> = {}): RunRecord => ({
  id,
  uid,
  etag: 'e1',
  kind: 'REFERENCE',
  state: 'PENDING',
  spec: {
    dataset: 'movies',
    trainSplit: 'train',
    evaluationSplits: ['test'],
    model: 'minilm-l6',
    layers: 3,
    maxLength: 300,
    epochs: 2,
    batchSize: 32,
    learningRate: 2e-5,
    warmupRatio: 0.1,
    weightDecay: 0,
    precision: 'FLOAT32',
    seed: 7,
    evaluationIntervalSteps: 10,
    executionTimeoutMs: 1500,
    maxAttempts: 3,
    priority: 0,
  },
  attempt: 0,
  progress: {committedEpochs: 0, totalEpochs: 2, steps: 0, totalSteps: 20, keptSteps: 0, stoppedEarly: false},
  cost: noCost,
  evaluations: [],
  labels: {team: 'nlp'},
  createTime: time,
  updateTime: time,
  queuePosition: 1,
  ...changes,
});

export const dataMapRecord = (id: string, changes: Partial<DataMapRecord> = {}): DataMapRecord => ({
  id,
  run: 'ref',
  dataset: 'movies',
  trainSplit: 'train',
  epochs: {first: 0, last: 1},
  variabilityEstimator: 'sample',
  selection: {criterion: {region: 'ambiguous'}, fraction: 0.33, rule: 'upstream-quantile', seed: 0},
  instanceCount: 40_000,
  selectedCount: 13_200,
  requestedCount: 13_200,
  threshold: 0.25,
  thresholdTieCount: 1,
  labelBalance: [{className: 'negative', selectedCount: 5, instanceCount: 10}],
  diagnostics: {
    easyRatio: 0.5,
    hardAmbiguousOverlap: 0.6,
    neverLearnedRatio: 0.1,
    verdict: 'effective',
    verdictReason: 'they overlap',
    lastEpochGain: 0.02,
    warnings: ['Few instances are easy'],
  },
  digest: 'cd',
  isFinal: true,
  createTime: time,
  metrics: ['el2n', 'loss-trajectory'],
  scoreWindow: 2,
  labelShift: 0.125,
  inDistributionAccuracy: 0.875,
  epochDiagnostics: [
    {epoch: 0, accuracy: 0.5, pTrue: 0.4, trainLoss: 0.7},
    {epoch: 1, accuracy: 0.75, pTrue: 0.6, trainLoss: 0.5},
  ],
  thresholds: {overlapExcess: 0.3, accuracySkill: 0.2, lastEpochGain: 0.1, labelShift: 0.2, neverLearned: 0.3},
  ...changes,
});

export function dataMapColumns(count: number): DataMapColumns {
  const column = (value: (i: number) => number) => Float32Array.from({length: count}, (_, i) => value(i));
  return {
    confidence: column(i => i / count),
    variability: column(i => 1 - i / count),
    correctness: Uint32Array.from({length: count}, (_, i) => i % 3),
    forgettingEvents: Uint32Array.from({length: count}, (_, i) => i % 2),
    isSelected: Uint8Array.from({length: count}, (_, i) => (i % 3 === 0 ? 1 : 0)),
    scores: new Float32Array(0),
    metricColumns: [
      {metric: 'el2n', values: column(i => i / 7)},
      {metric: 'loss-trajectory', values: Float32Array.from({length: 2 * count}, (_, i) => i)},
    ],
    instanceIds: Array.from({length: count}, (_, i) => `instance-${i}`),
  };
}

const overlap = (sharedCount: number) => ({
  count: 4,
  otherCount: 5,
  sharedCount,
  overlap: sharedCount / 4,
  otherOverlap: sharedCount / 5,
  jaccard: sharedCount / (9 - sharedCount),
  chanceOverlap: 0.5,
});

export const dataMapComparison: DataMapComparison = {
  numInstances: 10,
  selected: overlap(1),
  ambiguous: overlap(2),
  hardToLearn: overlap(3),
  confidenceSpearman: 0.25,
  variabilitySpearman: -0.25,
  easyRatio: 0.4,
  otherEasyRatio: 0.3,
  agreement: {counts: Array.from({length: 16}, (_, i) => i), ratio: 0.6, kappa: 0.2},
};

/** A chunk whose values tell epoch and instance apart. */
export function chunk(
  epoch: number,
  chunkIndex: number,
  firstInstance: number,
  count: number,
  numClasses = 2,
): LogEvent {
  const correctBits = new Uint8Array(Math.ceil(count / 8));
  for (let i = 0; i < count; i++) if ((firstInstance + i) % 3 === 0) correctBits[i >> 3] |= 1 << (i & 7);
  return {
    kind: 'chunk',
    epoch,
    chunkIndex,
    firstInstance,
    instanceCount: count,
    numClasses,
    pTrue: Float32Array.from({length: count}, (_, i) => epoch + (firstInstance + i) / 1e6),
    correctBits,
    logits: Float32Array.from({length: count * numClasses}, (_, i) => i),
  };
}

/** What a reference run of two epochs over `count` instances writes, chunked by `size`. */
export function trainingEvents(id: string, count: number, size: number, numEpochs = 2): LogEvent[] {
  const events: LogEvent[] = [
    {kind: 'run-changed', run: runRecord(id)},
    {kind: 'run-changed', run: runRecord(id, {state: 'RUNNING', attempt: 1, startTime: time})},
  ];
  for (let epoch = 0; epoch < numEpochs; epoch++) {
    events.push({kind: 'epoch-started', epoch});
    let chunkCount = 0;
    for (let first = 0; first < count; first += size)
      events.push(chunk(epoch, chunkCount++, first, Math.min(size, count - first)));
    const steps = 10 * (epoch + 1);
    const cost = {...noCost, acceleratorMs: 1000 * steps, trainedInstances: count * (epoch + 1), flops: 1e9 * steps};
    events.push({
      kind: 'epoch-committed',
      ...{epoch, chunkCount, instanceCount: count, digest: 'ee', trainLoss: 0.5, steps, cost},
    });
  }
  return events;
}
