// Peak resident memory of a process that trains: ours compiled and eager, and PyTorch, each from its start to its end, in turns.
import {type ShapeName, shapes} from './model/shapes.js';
import {type Measured, type Measurement, measured, type Row, type Target} from './report/results.js';
import {syntheticBatch} from './synthetic-batch.js';
import {targets} from './targets.js';
import type {CreateRequest, Precision} from './workers/protocol.js';
import {create, memory, type Side, startOurs, startPeer, train, versions} from './workers/side.js';

export interface MemoryOptions {
  shape: ShapeName;
  /** Processes of each side. */
  rounds: number;
  /** Training steps in each of them. */
  steps: number;
  rows: number;
  length: number;
  threads: number;
}

const numClasses = 3;

export async function benchMemory(options: MemoryOptions): Promise<Measurement> {
  const title = 'Peak resident memory of a training process';
  const measurement: Measurement = {title, rows: [], notes: {}, versions: {}};
  const {threads} = options;
  const ours = () => startOurs({threads});
  const peer = async () => {
    const side = await startPeer('model.py', {threads});
    Object.assign(measurement.versions, await versions(side));
    return side;
  };
  const kinds: {name: string; precision: Precision; compiled: boolean; start: () => Side | Promise<Side>}[] = [
    {name: 'ftft', precision: 'fp32', compiled: true, start: ours},
    {name: 'PyTorch', precision: 'fp32', compiled: false, start: peer},
    {name: 'ftft', precision: 'bf16', compiled: true, start: ours},
    {name: 'PyTorch', precision: 'bf16', compiled: false, start: peer},
    {name: 'ftft eager', precision: 'fp32', compiled: false, start: ours},
  ];
  const peaks = new Map<string, number[]>();
  for (let round = 0; round < options.rounds; round++)
    for (const {name, precision, compiled, start} of kinds) {
      const key = `${name} ${precision}`;
      try {
        const peak = await peakOf(await start(), {precision, compiled}, options);
        peaks.set(key, [...(peaks.get(key) ?? []), peak]);
      } catch (error) {
        measurement.notes[key] = `skipped, ${(error as Error).message}`;
      }
    }
  const what = `${shapes[options.shape].title}, ${options.rows} x ${options.length}`;
  const side = (key: string) => peaks.has(key) && measured(key, peaks.get(key)!, 'bytes');
  const pairs = [
    ['ftft fp32', 'PyTorch fp32', targets.memory],
    ['ftft bf16', 'PyTorch bf16', targets.memory],
    ['ftft fp32', 'ftft eager fp32', targets.memoryOfEager],
  ] as const;
  for (const [own, other, target] of pairs) {
    const [mine, theirs] = [side(own), side(other)];
    if (mine && theirs) measurement.rows.push(smallerRow(`${what}, ${own} beside ${other}`, mine, theirs, target));
  }
  return measurement;
}

async function peakOf(
  side: Side,
  kind: Pick<CreateRequest, 'precision' | 'compiled'>,
  {shape, steps, rows, length}: MemoryOptions,
): Promise<number> {
  try {
    const {config} = shapes[shape];
    await create(side, {config, numClasses, ...kind});
    const batch = syntheticBatch({rows, length, vocabSize: Number(config.vocab_size), numClasses, seed: 0});
    await train(side, [batch], steps);
    return (await memory(side)).peak;
  } finally {
    await side.end();
  }
}

function smallerRow(what: string, ours: Measured, peer: Measured, target: Target): Row {
  const figure = {name: 'ours / against', value: ours.median / peer.median, unit: 'times'} as const;
  return {what, ours, peer, figure: {...figure, target}};
}
