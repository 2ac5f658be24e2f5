// A made-up run of many instances in a log on disk → its data map as the server builds it, in seconds and memory, each time in a process of
// its own.
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type Measurement, measured} from './report/results.js';
import {targets} from './targets.js';
import {type Side, startScript} from './workers/side.js';

export interface LargeMapOptions {
  instances: number;
  epochs: number;
  /** Processes that build it. */
  rounds: number;
}

interface Built {
  seconds: number;
  /** Of all threads together. */
  processorSeconds: number;
  /** Bytes that the process's memory had grown by at most. */
  growth: number;
  instanceCount: number;
  selectedCount: number;
  digest: string;
}

export async function benchLargeMap({instances, epochs, rounds}: LargeMapOptions): Promise<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), 'ftft-bench-'));
  try {
    await once(side => side.ask({do: 'write', folder, instances, epochs}));
    const built: Built[] = [];
    // The map is stored under a name of its content, so that each process does the whole work again.
    for (let round = -1; round < rounds; round++) {
      const one = await once(side => side.ask<Built>({do: 'build', folder}));
      if (one.instanceCount !== instances) throw new Error(`The map must hold ${instances} instances`);
      if (round >= 0) built.push(one);
    }
    if (new Set(built.map(({digest}) => digest)).size !== 1)
      throw new Error('The same dynamics must give the same map');
    const what = `${instances} instances, ${epochs} epochs, from a log on disk`;
    const seconds = measured(
      'ftft',
      built.map(one => one.seconds),
    );
    const processor = measured(
      'ftft',
      built.map(one => one.processorSeconds),
    );
    const growth = measured(
      'ftft',
      built.map(one => one.growth),
      'bytes',
    );
    return {
      title: 'Data map of many instances',
      rows: [
        {
          what,
          ours: seconds,
          figure: {name: 'until it is stored', value: seconds.median, unit: 's', target: targets.largeMap},
        },
        {
          what: `${what}: processor time of two threads`,
          ours: processor,
          figure: {name: 'processor time', value: processor.median, unit: 's'},
        },
        {
          what: `${what}: growth of memory`,
          ours: growth,
          figure: {name: 'growth', value: growth.median, unit: 'bytes', target: targets.largeMapMemory},
        },
      ],
      notes: {
        work: 'the whole of BuildDataMap: digests of the log checked, scores, selection, diagnostics, the columns written and synced',
      },
      versions: {},
    };
  } finally {
    rmSync(folder, {recursive: true});
  }
}

async function once<T>(work: (side: Side) => Promise<T>): Promise<T> {
  const side = startScript('large-map.ts');
  try {
    return await work(side);
  } finally {
    await side.end();
  }
}
