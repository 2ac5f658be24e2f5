// A run of a service → GetRun under a steady load and under as much as goes: by ghz where it is there, else by a generator of our own.
import {spawnSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import type {Row} from '../report/results.js';
import {targets} from '../targets.js';
import type {Member} from './cluster.js';
import {ask, type CallsAnswer, type CallsJob, outputOf} from './jobs.js';

const rate = 500;
const connections = 4;

export interface CallsPart {
  rows: Row[];
  /** Who called. */
  generator: string;
  /** Of the API, which says something on a machine that is not quiet, too. */
  processorTime: string;
}

export async function benchCalls(store: string, api: Member, run: string, seconds: number): Promise<CallsPart> {
  const {address} = api;
  const ghz = findGhz();
  const make = ghz ? (job: CallsJob) => askGhz(ghz, job) : (job: CallsJob) => ask(job);
  const job = {do: 'calls', address, run, connections} as const;
  // A warm-up: the service compiles as it is called.
  await make({...job, rate, seconds: Math.min(seconds, 5)});
  const steady = await make({...job, rate, seconds});
  const before = api.processorSeconds();
  const most = await make({...job, rate: 0, seconds});
  const perCall = (api.processorSeconds() - before) / most.count;
  const ours = ({median, least, count, perSecond}: CallsAnswer) =>
    ({name: 'ftft', unit: 's', median, least, count, rate: {value: perSecond, of: 'calls'}}) as const;
  const p99 = ({p99: value}: CallsAnswer) => ({name: '99th percentile', value, unit: 's'}) as const;
  return {
    rows: [
      {
        what: `${store}: GetRun, ${rate} calls a second`,
        ours: ours(steady),
        figure: {...p99(steady), target: targets.service.getRun},
      },
      {what: `${store}: GetRun, as many as go`, ours: ours(most), figure: p99(most)},
    ],
    generator: ghz ? 'ghz' : 'our own generator',
    processorTime: `${(1000 * perCall).toFixed(2)} ms of the API's processor time a call`,
  };
}

/** FTFT_GHZ, or the program of this name. */
function findGhz(): string | undefined {
  const file = process.env.FTFT_GHZ || 'ghz';
  return spawnSync(file, ['--version']).status === 0 ? file : undefined;
}

interface GhzReport {
  count: number;
  rps: number;
  /** Nanoseconds. */
  fastest: number;
  latencyDistribution: {percentage: number; latency: number}[];
  statusCodeDistribution: Record<string, number>;
}

const contract = fileURLToPath(new URL('../../src/server/gen/ftft.binpb', import.meta.url));

async function askGhz(ghz: string, {address, run, rate, seconds, connections}: CallsJob): Promise<CallsAnswer> {
  // A steady load begins calls when they are due whether the ones before have ended or not.
  const load = rate > 0 ? ['--async', '--rps', String(rate)] : [];
  const concurrency = ['--connections', String(connections), '--concurrency', String(connections * 8)];
  const length = ['--duration', `${seconds}s`, '--duration-stop', 'wait'];
  const call = ['--protoset', contract, '--call', 'ftft.v1.FtftService/GetRun', '--data', JSON.stringify({name: run})];
  const args = ['--insecure', '--format', 'json', ...load, ...concurrency, ...length, ...call, address];
  const report = JSON.parse(await outputOf(ghz, args)) as GhzReport;
  const wrong = Object.entries(report.statusCodeDistribution).filter(([code]) => code !== 'OK');
  if (wrong.length > 0) throw new Error(`Calls must end with OK, some ended with ${JSON.stringify(wrong)}`);
  const at = (wanted: number) =>
    report.latencyDistribution.find(({percentage}) => percentage === wanted)!.latency / 1e9;
  return {median: at(50), least: report.fastest / 1e9, p99: at(99), count: report.count, perSecond: report.rps};
}
