// Seconds of one padded batch, all tokens real: ours, PyTorch and torch.compile take turns; a row a comparison out. Training steps have
// dropout on; evaluation is a forward pass.
import {besidePeers} from './compare.js';
import {type ShapeName, shapes} from './model/shapes.js';
import type {Measurement, Target} from './report/results.js';
import {syntheticBatch} from './synthetic-batch.js';
import {takeTurns} from './take-turns.js';
import {targets} from './targets.js';
import {withModelSides} from './workers/model-sides.js';
import type {Precision, RaggedBatch, Steps} from './workers/protocol.js';
import {predict, type Side, train} from './workers/side.js';

export interface StepsOptions {
  batches: PaddedShape[];
  precisions: Precision[];
  rounds: number;
  rows: number;
  threads: number;
  /** Whether torch.compile takes part. */
  compile: boolean;
}

/** A model, and tokens of each row of its batch. */
export interface PaddedShape {
  shape: ShapeName;
  length: number;
}

interface Work {
  do: (side: Side, batches: RaggedBatch[]) => Promise<Steps>;
  target: Target;
}

const warmUps = 2;
const numClasses = 3;

export const benchTrainSteps = (options: StepsOptions): Promise<Measurement> =>
  benchSteps('Training step beside PyTorch', {do: train, target: targets.step}, options);

export const benchEvaluate = (options: StepsOptions): Promise<Measurement> =>
  benchSteps("Evaluation beside PyTorch's inference_mode", {do: predict, target: targets.evaluate}, options);

async function benchSteps(title: string, work: Work, options: StepsOptions): Promise<Measurement> {
  const measurement: Measurement = {title, rows: [], notes: {}, versions: {}};
  for (const {shape, length} of options.batches)
    for (const precision of options.precisions) {
      const what = `${shapes[shape].title}, ${options.rows} x ${length}, ${precision}`;
      const seconds = await stepSeconds(work, {shape, precision, length}, options, measurement);
      if (seconds) measurement.rows.push(...besidePeers(what, seconds, {instances: options.rows, target: work.target}));
    }
  return measurement;
}

function stepSeconds(
  work: Work,
  {shape, precision, length}: PaddedShape & {precision: Precision},
  {rounds, rows, threads, compile}: StepsOptions,
  measurement: Measurement,
): Promise<Record<string, number[]> | undefined> {
  const vocabSize = Number(shapes[shape].config.vocab_size);
  const batches = [syntheticBatch({rows, length, vocabSize, numClasses, seed: 0})];
  const first = (side: Side) => work.do(side, batches);
  return withModelSides({shape, precision, numClasses, threads, compile, first}, measurement, sides => {
    const turn = (side: Side) => async () => (await work.do(side, batches)).seconds;
    return takeTurns(Object.fromEntries(Object.entries(sides).map(([name, side]) => [name, turn(side)])), {
      rounds,
      warmUps,
    });
  });
}
