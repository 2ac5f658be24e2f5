// DemoOptions → the demo's runs and maps, one at a time, each with its bar; the running one can be cancelled.

import type {DataMap, Region} from '../server/gen/ftft/v1/data_map.js';
import {DynamicsView} from '../server/gen/ftft/v1/dynamics.js';
import type {DeepPartial, FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import type {Run, TrainingSpec} from '../server/gen/ftft/v1/run.js';
import type {DemoOptions} from './demo-command.js';
import {demoDataset, testSets} from './demo-data.js';
import {createEpochSummary} from './epoch-summary.js';
import {followDynamics} from './follow-dynamics.js';
import {waitForRun} from './follow-run.js';
import type {Io} from './io.js';
import {createProgress, type Progress} from './progress.js';

export interface DemoRuns {
  /** The reference, or plain ERM of the main model: the same RPC. */
  trainReference(kind: 'reference' | 'erm'): Promise<Run>;
  /** With the seconds that the call took. */
  buildDataMap(reference: Run, region: Region): Promise<{map: DataMap; seconds: number}>;
  fineTuneMain(kind: 'main' | 'random', map: DataMap): Promise<Run>;
  /** Cancels the run that goes on, if one does, and waits for its end. */
  cancelCurrent(): Promise<void>;
}

const batchSize = 32;
const ambiguousFraction = 0.33;
const cancelWithinMs = 10_000;

const labels = {reference: 'reference', erm: 'ERM', main: 'main', random: 'main, random'};

export function demoRuns(client: FtftServiceClient, options: DemoOptions, io: Io, signal: AbortSignal): DemoRuns {
  let current: Run | undefined;

  const spec = (model: string, layers: number): DeepPartial<TrainingSpec> => ({
    dataset: demoDataset,
    trainSplit: 'train',
    evaluationSplits: testSets.map(set => set.split),
    model,
    layers,
    epochs: options.epochs,
    batchSize,
    learningRate: options.learningRate,
    seed: options.seed,
    // Longer than any run here: the sets are evaluated once, at the end.
    evaluationIntervalSteps: 2 ** 31 - 1,
  });

  async function showToEnd(run: Run, label: string, withDynamics: boolean): Promise<Run> {
    current = run;
    const progress = createProgress(io.stdout, label, '     ');
    try {
      const ended = waitForRun(client, run, seen => progress.update(seen), signal);
      // A failure of the stream alone is told by nothing but itself; that of the run is told by both.
      const watched = withDynamics ? showEpochs(client, run, progress, signal) : Promise.resolve();
      const [result] = await Promise.all([ended, watched]);
      current = undefined;
      return result;
    } finally {
      progress.stop();
    }
  }

  return {
    async trainReference(kind) {
      const isReference = kind === 'reference';
      const trained = isReference ? spec(options.referenceModel, options.referenceLayers) : spec(options.mainModel, 0);
      const {run} = await client.trainReference({runId: kind, spec: trained}, {signal});
      return await showToEnd(run!, labels[kind], isReference);
    },
    async buildDataMap(reference, region) {
      const startTime = performance.now();
      const selection = {
        criterion: {$case: 'region', value: region} as const,
        fraction: ambiguousFraction,
        seed: options.seed,
      };
      const {dataMap} = await client.buildDataMap({run: reference.name, selection}, {signal});
      return {map: dataMap!, seconds: (performance.now() - startTime) / 1000};
    },
    async fineTuneMain(kind, map) {
      const stepBudget = {$case: 'stepFraction', value: 1 / 3} as const;
      const trained = spec(options.mainModel, 0);
      const {run} = await client.fineTuneMain({runId: kind, dataMap: map.name, spec: trained, stepBudget}, {signal});
      return await showToEnd(run!, labels[kind], false);
    },
    async cancelCurrent() {
      if (!current) return;
      const patience = AbortSignal.timeout(cancelWithinMs);
      try {
        const run = await client.cancelRun({name: current.name}, {signal: patience});
        await waitForRun(client, run, () => {}, patience);
      } catch {
        // It ended as cancelled, or it did not end in time: then the server takes it down with itself.
      }
    },
  };
}

/** A line above the bar for each epoch whose dynamics are committed. */
async function showEpochs(client: FtftServiceClient, run: Run, progress: Progress, signal: AbortSignal): Promise<void> {
  const summarise = createEpochSummary();
  const request = {name: run.name, view: DynamicsView.DYNAMICS_VIEW_BASIC};
  for await (const message of followDynamics(client, request, {signal})) {
    const line = summarise(message);
    if (line !== undefined && ['epochCommitted', 'epochsDiscarded', 'runWarned'].includes(message.event?.$case ?? ''))
      progress.line(`     ${line}`);
  }
}
