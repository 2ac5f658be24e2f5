// Instances a second over a fixed sample of a real epoch's batches: ours without padding, PyTorch's padded to the longest, batch by batch.
import {besidePeers} from './compare.js';
import {readTokenized, type SourceName, sources} from './datasets.js';
import {type EpochSample, sampleEpoch} from './epoch-sample.js';
import {type ShapeName, shapes} from './model/shapes.js';
import type {Measurement, Row} from './report/results.js';
import {takeTurns} from './take-turns.js';
import {targets} from './targets.js';
import {withModelSides} from './workers/model-sides.js';
import type {Precision} from './workers/protocol.js';
import {type Side, train} from './workers/side.js';

export interface InstancesOptions {
  datasets: SourceName[];
  shape: ShapeName;
  precision: Precision;
  /** Batches of the sample. */
  batches: number;
  threads: number;
  compile: boolean;
}

const batchSize = 32;

export async function benchInstances(options: InstancesOptions): Promise<Measurement> {
  const title = "Instances a second over a real epoch's batches, ours unpadded, PyTorch's padded to the longest";
  const measurement: Measurement = {title, rows: [], notes: {}, versions: {}};
  for (const name of options.datasets) {
    const dataset = await readTokenized(name, measurement.notes);
    if (!dataset) continue;
    const sample = sampleEpoch(dataset, {batchSize, count: options.batches, seed: 0});
    const rows = await sampleRows(name, sample, dataset.numClasses, options, measurement);
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
  {batches}: EpochSample,
  numClasses: number,
  {shape, precision, threads, compile}: InstancesOptions,
  measurement: Measurement,
): Promise<Row[] | undefined> {
  const widest = batches.reduce((a, b) => (width(a.ids) >= width(b.ids) ? a : b));
  // Both sides' warm-up: the widest, so that memory is there, and another, so that torch.compile has seen two widths.
  const first = (side: Side) => train(side, [widest, batches[0]]);
  const request = {shape, precision, numClasses, threads, compile, dynamic: true, first};
  const seconds = await withModelSides(request, measurement, sides => {
    const turn = (side: Side) => async (round: number) => (await train(side, [batches[round]])).seconds;
    return takeTurns(Object.fromEntries(Object.entries(sides).map(([side, process]) => [side, turn(process)])), {
      rounds: batches.length,
      warmUps: 0,
    });
  });
  const what = `${sources[name].title}, ${shapes[shape].title}, ${precision}`;
  return seconds && besidePeers(what, seconds, {instances: batchSize, target: targets.instances[name], by: 'sum'});
}

const width = (ids: number[][]): number => Math.max(...ids.map(row => row.length));
