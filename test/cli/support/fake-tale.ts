// What the fake service tells: the log of a run of ten instances, and a data map of them. All from formulas.
import {
  DataMap,
  type DataMapBlock,
  DataMapDiagnostics_ReferenceVerdict,
  type Selection,
} from '../../../src/server/gen/ftft/v1/data_map.js';
import type {InstanceBlock, StreamDynamicsResponse} from '../../../src/server/gen/ftft/v1/dynamics.js';
import {type Evaluation, Run, Run_State, RunWarning_Code} from '../../../src/server/gen/ftft/v1/run.js';

export interface LoggedEvent {
  /** Position in the stream; the token that goes on after it. */
  place: number;
  isMark: boolean;
  event: StreamDynamicsResponse['event'];
}

export const numInstances = 10;

export function floats(values: number[]): Buffer {
  return Buffer.from(Float32Array.from(values).buffer);
}

export function bits(values: boolean[]): Buffer {
  const bytes = Buffer.alloc(Math.ceil(values.length / 8));
  for (const [i, value] of values.entries()) if (value) bytes[i >> 3] |= 1 << (i & 7);
  return bytes;
}

/** Epoch e gives each of ten instances p_true 0.25 (e + 1); right from epoch 1 on. */
function chunks(epoch: number): StreamDynamicsResponse['event'][] {
  const chunk = (chunkIndex: number, firstInstance: number, instanceCount: number) => ({
    $case: 'chunk' as const,
    value: {
      epoch,
      chunkIndex,
      firstInstance,
      instanceCount,
      pTrue: floats(Array(instanceCount).fill(0.25 * (epoch + 1))),
      correct: bits(Array(instanceCount).fill(epoch > 0)),
      logits: Buffer.alloc(0),
      classCount: 0,
    },
  });
  return [chunk(0, 0, 6), chunk(1, 6, 4)];
}

function epoch(index: number): StreamDynamicsResponse['event'][] {
  const committed = {
    epoch: index,
    chunkCount: 2,
    instanceCount: numInstances,
    digest: 'd',
    trainLoss: 0.7 - index / 10,
    steps: 32 * (index + 1),
    cost: undefined,
  };
  return [
    {$case: 'epochStarted', value: {epoch: index}},
    ...chunks(index),
    {$case: 'epochCommitted', value: committed},
  ];
}

/** Epoch 2 is begun, lost with its worker, and told again. */
export function fakeLog(run: Run): LoggedEvent[] {
  const ended = Run.fromPartial({...run, state: Run_State.STATE_SUCCEEDED});
  const evaluation = {
    split: 'test_movie',
    outOfDistribution: false,
    accuracy: 0.84,
    macroF1: 0.83,
    loss: 0.4,
    instanceCount: 500,
    steps: 96,
    committedEpochs: 3,
    calibrationError: 0.125,
    accuracyInterval: undefined,
    classCounts: [],
  };
  const earlyStopping = {score: 0.84, bestScore: 0.86, bestSteps: 64, roundsSinceBest: 1};
  const warning = {code: RunWarning_Code.CODE_NOT_CONVERGING, message: 'The model does not converge', steps: 96};
  const events: StreamDynamicsResponse['event'][] = [
    {$case: 'runChanged', value: Run.fromPartial({...run, state: Run_State.STATE_RUNNING})},
    ...epoch(0),
    ...epoch(1),
    {$case: 'epochStarted', value: {epoch: 2}},
    chunks(2)[0],
    {$case: 'epochsDiscarded', value: {firstEpoch: 2, steps: 64, reason: 'WORKER_LOST'}},
    ...epoch(2),
    {$case: 'evaluationsMade', value: {evaluations: [evaluation], cost: undefined, earlyStopping}},
    {$case: 'runWarned', value: {warning}},
    {$case: 'runChanged', value: ended},
    {$case: 'caughtUp', value: {lastSequence: 19}},
    {$case: 'completed', value: {run: ended}},
  ];
  let place = 0;
  return events.map(event => ({place: ++place, isMark: ['caughtUp', 'completed'].includes(event?.$case ?? ''), event}));
}

/** share: of the time of ERM; the less of it, the less accurate. */
export function fakeEvaluations({spec, progress}: Run, share: number, instanceCount: number): Evaluation[] {
  const {evaluationSplits, testSplits} = spec!;
  return [...evaluationSplits, ...testSplits].map((split, i) => ({
    split,
    outOfDistribution: split.startsWith('ood'),
    accuracy: 0.86 - 0.04 * i - (1 - share) * 0.02,
    macroF1: 0.85 - 0.04 * i,
    loss: 0.4,
    instanceCount,
    steps: progress!.totalSteps,
    committedEpochs: 4,
    accuracyInterval: undefined,
    classCounts: [],
  }));
}

/** Instance 0 was right at no epoch; the last three are selected. */
export function fakeBlock(firstInstance: number, instanceCount: number): DataMapBlock {
  const indices = Array.from({length: instanceCount}, (_, i) => firstInstance + i);
  return {
    firstInstance,
    instanceCount,
    confidence: floats(indices.map(i => (i + 1) / 16)),
    variability: floats(indices.map(i => i / 32)),
    correctEpochs: indices.map(i => Math.min(4, i)),
    forgettingEvents: indices.map(i => i % 2),
    selected: bits(indices.map(i => i >= 7)),
    score: Buffer.alloc(0),
    instanceIds: indices.map(i => `movie-${i}`),
    metricColumns: [],
  };
}

/** Positive where the index is odd; a text that JSON and CSV must quote. */
export function fakeInstances(firstInstance: number, instanceCount: number, includeTexts: boolean): InstanceBlock {
  const indices = Array.from({length: instanceCount}, (_, i) => firstInstance + i);
  return {
    firstInstance,
    instanceCount,
    instanceIds: indices.map(i => `movie-${i}`),
    labels: indices.map(i => i % 2),
    texts: includeTexts ? indices.map(i => `Said "${i}",\nthen went`) : [],
    textPairs: [],
  };
}

export function fakeMap(name: string, run: Run, selection: Selection | undefined): DataMap {
  return DataMap.fromPartial({
    name,
    run: run.name,
    dataset: run.spec?.dataset,
    trainSplit: 'train',
    epochs: {first: 0, last: 3},
    selection: {fraction: 0.33, ...selection},
    instanceCount: numInstances,
    selectedCount: 3,
    diagnostics: {
      easyRatio: 0.5,
      hardAmbiguousOverlap: 0.42,
      neverLearnedRatio: 0.1,
      requestedCount: 3,
      threshold: 0.2,
      thresholdTieCount: 1,
      labelBalance: [
        {className: 'negative', selectedCount: 1, instanceCount: 5},
        {className: 'positive', selectedCount: 2, instanceCount: 5},
      ],
      referenceVerdict: DataMapDiagnostics_ReferenceVerdict.REFERENCE_VERDICT_EFFECTIVE,
      referenceVerdictReason: 'overlap 0.42 against 0.33 by chance',
    },
    final: true,
  });
}
