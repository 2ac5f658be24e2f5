// Our PyTorch peer beside a script that neither side was tuned on (../shared/peer): both take turns, a row a shape and precision.
import {execFile} from 'node:child_process';
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {sharedFolder} from './datasets.js';
import {type ShapeName, shapes} from './model/shapes.js';
import {peerEnvironment, python} from './peers/environment.js';
import {type Measurement, measured, type Row} from './report/results.js';
import {syntheticBatch} from './synthetic-batch.js';
import {targets} from './targets.js';
import type {Precision} from './workers/protocol.js';
import {create, startPeer, train, versions} from './workers/side.js';

export interface PeerCheckOptions {
  shapes: ShapeName[];
  precisions: Precision[];
  /** Times that each side makes `steps` steps after two that are not timed. */
  rounds: number;
  steps: number;
  rows: number;
  length: number;
  threads: number;
}

const script = join(sharedFolder, 'peer', 'train_step.py');
const numClasses = 3;

export async function benchPeerCheck(options: PeerCheckOptions): Promise<Measurement> {
  const title = 'Our PyTorch peer beside one that is no part of this project, training step';
  const measurement: Measurement = {title, rows: [], notes: {}, versions: {}};
  if (!existsSync(script)) measurement.notes['train_step.py'] = 'skipped, it needs ../shared beside the checkout';
  else
    for (const shape of options.shapes)
      for (const precision of options.precisions)
        measurement.rows.push(await checkRow(shape, precision, options, measurement));
  return measurement;
}

async function checkRow(
  shape: ShapeName,
  precision: Precision,
  {rounds, steps, rows, length, threads}: PeerCheckOptions,
  measurement: Measurement,
): Promise<Row> {
  const {title, config} = shapes[shape];
  const batch = syntheticBatch({rows, length, vocabSize: Number(config.vocab_size), numClasses, seed: 0});
  const own: number[] = [];
  const other = {medians: [] as number[], least: Number.POSITIVE_INFINITY};
  const peer = await startPeer('model.py', {threads});
  try {
    Object.assign(measurement.versions, await versions(peer));
    await create(peer, {config, numClasses, precision, compiled: false});
    for (let round = 0; round < rounds; round++) {
      await train(peer, [batch], 2);
      own.push(...(await train(peer, [batch], steps)).seconds);
      const {median, min} = await otherSteps(shape, precision, {steps, rows, length, threads});
      other.medians.push(median);
      other.least = Math.min(other.least, min);
    }
  } finally {
    await peer.end();
  }
  const ours = measured('our peer', own);
  const theirs = {...measured('train_step.py', other.medians), least: other.least, count: rounds * steps};
  const figure = {name: 'train_step.py / our peer', value: theirs.median / ours.median, unit: 'times'} as const;
  return {
    what: `${title}, ${rows} x ${length}, ${precision}`,
    ours,
    peer: theirs,
    figure: {...figure, target: targets.peer},
  };
}

/** The script makes two steps more before those that it times. */
async function otherSteps(
  shape: ShapeName,
  precision: Precision,
  options: Record<'steps' | 'rows' | 'length' | 'threads', number>,
): Promise<{median: number; min: number}> {
  const {steps, rows, length, threads} = options;
  const numbers = {batch: rows, length, steps, threads};
  const flags = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const {stdout} = await promisify(execFile)(python, [script, shape, precision, ...flags], {
    env: await peerEnvironment(),
  });
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}
