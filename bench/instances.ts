// Instances a second over a fixed sample of a real epoch's batches: ours without padding, PyTorch's padded to the longest, batch by batch.
import {besidePeers} from './compare.js';
import {readTokenized, type SourceName, sources} from './datasets.js';
import {type EpochSample, sampleEpoch} from './epoch-sample.js';
import {type ShapeName, shapes} from './model/shapes.js';
import type {Measurement, Row, Target} from './report/results.js';
import {takeTurns} from './take-turns.js';
import {targets} from './targets.js';
import {withModelSides} from './workers/model-sides.js';
import type {Precision, RaggedBatch, Steps} from './workers/protocol.js';
import {predict, type Side, train} from './workers/side.js';

export interface InstancesOptions {
  datasets: SourceName[];
  shape: ShapeName;
  precision: Precision;
  /** Batches of the sample. */
  batches: number;
  threads: number;
  compile: boolean;
}

interface Work {
  title: string;
  do: (side: Side, batches: RaggedBatch[]) => Promise<Steps>;
  batchSize: number;
  target: (name: SourceName) => Target;
}

export const benchInstances = (options: InstancesOptions): Promise<Measurement> =>
  benchSamples(options, {
    title: "Instances a second over a real epoch's batches, ours unpadded, PyTorch's padded to the longest",
    do: train,
    batchSize: 32,
    target: name => targets.instances[name],
  });

export const benchEvaluateInstances = (options: InstancesOptions): Promise<Measurement> =>
  benchSamples(options, {
    title: 'Instances evaluated a second, real batches, ours unpadded, PyTorch (inference_mode) padded to the longest',
    do: predict,
    batchSize: 64,
    target: () => targets.evaluate,
  });

async function benchSamples(options: InstancesOptions, work: Work): Promise<Measurement> {
  const {title, batchSize} = work;
  const measurement: Measurement = {title, rows: [], notes: {}, versions: {}};
  for (const name of options.datasets) {
    const dataset = await readTokenized(name, measurement.notes);
    if (!dataset) continue;
    const sample = sampleEpoch(dataset, {batchSize, count: options.batches, seed: 0});
    const rows = await sampleRows(name, {sample, numClasses: dataset.numClasses, work}, options, measurement);
    if (!rows) continue;
    measurement.rows.push(...rows);
    const {batches, realShare, digest} = sample;
    const share = `${Math.round(100 * realShare)} % of the padded tokens are real`;
    measurement.notes[sources[name].title] = `${batches.length} batches of ${batchSize}, ${share}, digest ${digest}`;
  }
  return measurement;
}

async function sampleRows(
  name: SourceName,
  {sample: {batches}, numClasses, work}: {sample: EpochSample; numClasses: number; work: Work},
  {shape, precision, threads, compile}: InstancesOptions,
  measurement: Measurement,
): Promise<Row[] | undefined> {
  const widest = batches.reduce((a, b) => (width(a.ids) >= width(b.ids) ? a : b));
  // Both sides' warm-up: the widest, so that memory is there, and another, so that torch.compile has seen two widths.
  const first = (side: Side) => work.do(side, [widest, batches[0]]);
  const request = {shape, precision, numClasses, threads, compile, dynamic: true, first};
  const seconds = await withModelSides(request, measurement, sides => {
    const turn = (side: Side) => async (round: number) => (await work.do(side, [batches[round]])).seconds;
    return takeTurns(Object.fromEntries(Object.entries(sides).map(([side, process]) => [side, turn(process)])), {
      rounds: batches.length,
      warmUps: 0,
    });
  });
  const what = `${sources[name].title}, ${shapes[shape].title}, ${precision}`;
  const {batchSize: instances, target} = work;
  return seconds && besidePeers(what, seconds, {instances, target: target(name), by: 'sum'});
}

const width = (ids: number[][]): number => Math.max(...ids.map(row => row.length));
