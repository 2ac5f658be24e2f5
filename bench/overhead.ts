// Time a step of a two-layer toy, where calls are most of it: our compiled step and our eager one take turns.
import {shapes} from './model/shapes.js';
import {type Measurement, measured} from './report/results.js';
import {syntheticBatch} from './synthetic-batch.js';
import {takeTurns} from './take-turns.js';
import {targets} from './targets.js';
import {create, startOurs, train} from './workers/side.js';

export interface OverheadOptions {
  rounds: number;
  /** Steps of each turn, one after the other. */
  steps: number;
}

const [rows, length, numClasses] = [8, 16, 3];

export async function benchOverhead({rounds, steps}: OverheadOptions): Promise<Measurement> {
  const {title, config} = shapes.toy;
  const batch = syntheticBatch({rows, length, vocabSize: Number(config.vocab_size), numClasses, seed: 0});
  const [compiled, eager] = [startOurs(), startOurs()];
  try {
    await create(compiled, {config, numClasses, precision: 'fp32', compiled: true});
    await create(eager, {config, numClasses, precision: 'fp32', compiled: false});
    const seconds = await takeTurns(
      {
        compiled: async () => (await train(compiled, [batch], steps)).seconds,
        eager: async () => (await train(eager, [batch], steps)).seconds,
      },
      {rounds, warmUps: 2},
    );
    const [ours, other] = [measured('compiled', seconds.compiled), measured('eager', seconds.eager)];
    const figure = {name: 'compiled / eager', value: ours.median / other.median, unit: 'times'} as const;
    const what = `${title}, ${rows} x ${length}, fp32`;
    const row = {what, ours, peer: other, figure: {...figure, target: targets.overhead}};
    return {title: 'Time a step where calls are most of it', rows: [row], notes: {}, versions: {}};
  } finally {
    await Promise.all([compiled.end(), eager.end()]);
  }
}
