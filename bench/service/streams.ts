// A service → its streams: replay by one reader and by many, commit to subscriber, and memory beside a reader that reads nothing.
import {setTimeout as sleep} from 'node:timers/promises';
import type {FtftServiceClient} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {measured, type Row} from '../report/results.js';
import {percentile} from '../statistics.js';
import {targets} from '../targets.js';
import type {Cluster, Member} from './cluster.js';
import {ask, type ReplayAnswer} from './jobs.js';
import {startTinyRun} from './runs.js';

export interface StreamOptions {
  /** Of a reading. */
  seconds: number;
  /** Many at once. */
  readers: number;
  /** That are followed. */
  epochs: number;
}

const sampleMs = 500;
/** Of a run before it has begun its first epoch. */
const startMs = 100;

export async function benchReplay(
  store: string,
  api: Member,
  run: string,
  {seconds, readers}: StreamOptions,
): Promise<{rows: Row[]; processorTime: string}> {
  const job = {do: 'replay', address: api.address, run, seconds} as const;
  const before = api.processorSeconds();
  const one = await ask({...job, readers: 1});
  const used = api.processorSeconds() - before;
  const many = await ask({...job, readers});
  const figure = ({bytes, seconds: taken}: ReplayAnswer) =>
    ({name: 'read', value: bytes / 1e6 / taken, unit: 'MB/s'}) as const;
  const ours = (answer: ReplayAnswer) => ({
    ...{name: `log of ${(answer.bytes / answer.replays / 1e6).toFixed(0)} MB`, unit: 's' as const},
    ...{median: answer.seconds / answer.replays, least: answer.seconds / answer.replays, count: 1},
  });
  const rows: Row[] = [
    {
      what: `${store}: replay by one reader`,
      ours: ours(one),
      figure: {...figure(one), target: targets.service.replay},
    },
    {what: `${store}: replay by ${readers} readers, all together`, ours: ours(many), figure: figure(many)},
  ];
  const processorTime = `${(one.bytes / 1e6 / used).toFixed(0)} MB a second of the API's processor time`;
  return {rows, processorTime};
}

export async function benchCommits(
  store: string,
  {api: {address}, client}: Cluster,
  {readers, epochs}: StreamOptions,
): Promise<Row> {
  const run = await startTinyRun(client);
  const {seconds} = await ask({do: 'follow', address, run, readers, epochs});
  await client.cancelRun({name: run});
  const value = percentile(seconds, 0.99);
  return {
    what: `${store}: epoch commit to each of ${readers} readers`,
    ours: measured('ftft', seconds),
    figure: {name: '99th percentile', value, unit: 's', target: targets.service.commit},
  };
}

/** After other readers have had the whole log once, so that growth is this reader's. */
export async function benchStalled(store: string, api: Member, run: string, seconds: number) {
  const {address} = api;
  await ask({do: 'replay', address, run, readers: 1, seconds: 1});
  const before = api.memory();
  let most = before;
  let isStalled = true;
  const stalled = ask({do: 'stall', address, run, seconds}).finally(() => {
    isStalled = false;
  });
  while (isStalled) {
    most = Math.max(most, api.memory());
    await sleep(sampleMs);
  }
  const {status} = await stalled;
  const row: Row = {
    what: `${store}: memory of the API beside a reader that reads nothing for ${seconds} s`,
    ours: {name: 'at most', unit: 'bytes', median: most, least: before, count: 1},
    figure: {
      name: 'growth',
      value: (100 * (most - before)) / before,
      unit: 'percent',
      target: targets.service.stalled,
    },
  };
  return {
    row,
    note: status === undefined ? 'its stream was still open' : `its stream was closed with status ${status}`,
  };
}

/** Waits until the run trains. */
export async function untilItTrains(client: FtftServiceClient, name: string): Promise<void> {
  for (let steps = 0; steps === 0; await sleep(startMs)) steps = (await client.getRun({name})).progress?.steps ?? 0;
}
