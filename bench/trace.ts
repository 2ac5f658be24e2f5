// Time from a checkpoint of BERT-large's shape, made up in memory, until a step of every bucket can be taken, and the memory that took.
import {fakeCheckpoint} from './model/fake-checkpoint.js';
import {type ShapeName, shapes} from './model/shapes.js';
import {type Measurement, measured, type Row} from './report/results.js';
import {targets} from './targets.js';
import {startOurs} from './workers/side.js';
import type {TraceTimes} from './workers/trace-times.js';

export interface TraceOptions {
  shape: ShapeName;
  /** One bucket each. */
  lengths: number[];
}

const numClasses = 3;

export async function benchTrace({shape, lengths}: TraceOptions): Promise<Measurement> {
  const {config} = shapes[shape];
  const side = startOurs();
  try {
    const request = {config, numClasses, precision: 'fp32', compiled: true, lengths};
    const times = await side.ask<TraceTimes>({do: 'trace', ...request});
    const {untilWeights, untilCreated, firstSteps, growth} = times;
    const first = firstSteps.map((seconds, i) => `${lengths[i]} tokens ${seconds.toFixed(2)} s`).join(', ');
    const notes = {
      'until the first weight is asked for': `${untilWeights.toFixed(2)} s`,
      'until all weights are assigned': `${untilCreated.toFixed(2)} s`,
      "what each bucket's first step took longer than its second": first,
      'growth of peak memory until all weights are assigned': megabytes(growth.untilCreated),
      'growth of peak memory until all steps were taken': megabytes(growth.untilStepped),
    };
    return {title: 'Time to trace and load all buckets', rows: traceRows(shape, lengths, times), notes, versions: {}};
  } finally {
    await side.end();
  }
}

function traceRows(
  shape: ShapeName,
  lengths: number[],
  {untilCreated, firstSteps, growth}: Pick<TraceTimes, 'untilCreated' | 'firstSteps' | 'growth'>,
): Row[] {
  const {title, config} = shapes[shape];
  const traced = untilCreated + firstSteps.reduce((sum, seconds) => sum + Math.max(0, seconds), 0);
  const {tensors} = fakeCheckpoint(config, {numClasses});
  const sizes = [...tensors.values()].map(tensor => 4 * tensor.shape.reduce((product, n) => product * n, 1));
  const target = {bound: 'at most', value: Math.max(...sizes)} as const;
  const whole = sizes.reduce((sum, size) => sum + size, 0);
  return [
    {
      what: `${title}, ${lengths.length} buckets up to ${Math.max(...lengths)} tokens`,
      ours: measured('weights and first steps included', [traced]),
      figure: {name: 'until steps can be taken', value: traced, unit: 's', target: targets.trace},
    },
    {
      what: `${title}, growth of memory before the first weight, beside the largest tensor`,
      ours: measured('traced and loaded', [growth.untilWeights], 'bytes'),
      peer: measured('all weights', [whole], 'bytes'),
      figure: {name: 'growth', value: growth.untilWeights, unit: 'bytes', target},
    },
  ];
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
