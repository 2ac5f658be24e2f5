// A worker that dies with its trainer → how long until another one has its run, and until that trains.
import {setTimeout as sleep} from 'node:timers/promises';
import {type Run, Run_State} from '../../src/server/gen/ftft/v1/run.js';
import {measured, type Row} from '../report/results.js';
import {secondsOf} from '../take-turns.js';
import {targets} from '../targets.js';
import {type StoreName, startCluster, storeTitles} from './cluster.js';
import {importTexts, startTinyRun} from './runs.js';
import {untilItTrains} from './streams.js';

export interface TakeoverOptions {
  rounds: number;
  leaseMs: number;
}

const pollMs = 10;
const numTexts = 640;

/** isApart: the other worker cannot see that the process is gone, and waits for the end of its lease. */
export async function benchTakeover(
  store: StoreName,
  {rounds, leaseMs}: TakeoverOptions,
  isApart = false,
): Promise<Row> {
  const cluster = await startCluster(store, {workers: 2, leaseMs, isApart});
  const {client, workers, startWorker} = cluster;
  try {
    await importTexts(client, numTexts);
    const name = await startTinyRun(client);
    await untilItTrains(client, name);
    const until = async (holds: (run: Run) => boolean): Promise<void> => {
      while (!holds(await client.getRun({name}))) await sleep(pollMs);
    };
    const seconds: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const {attempt} = await client.getRun({name});
      const holder = workers.findIndex(worker => worker.isTraining);
      if (holder < 0) throw new Error('A worker must have the run');
      const [dead] = workers.splice(holder, 1);
      // From the signal, not from the end of the process.
      const death = dead.end('SIGKILL');
      seconds.push(await secondsOf(() => until(run => run.attempt > attempt && run.state === Run_State.STATE_RUNNING)));
      await death;
      const {progress} = await client.getRun({name});
      await until(run => (run.progress?.steps ?? 0) > (progress?.steps ?? 0));
      await startWorker();
    }
    await client.cancelRun({name});
    const longest = Math.max(...seconds);
    return {
      what: `${storeTitles[store]}: takeover ${isApart ? 'by another host' : 'on the same host'} after a worker's death, lease of ${leaseMs / 1000} s`,
      ours: measured('ftft', seconds),
      figure: {
        name: 'longest, beyond the lease',
        value: longest - leaseMs / 1000,
        unit: 's',
        target: targets.service.takeover,
      },
    };
  } finally {
    await cluster.end();
  }
}
