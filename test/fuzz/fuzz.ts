// npm run fuzz -- [--calls 100000] [--seed 1] [--rpc getRun]: every RPC with messages that are wrong in every way, forged resume
// tokens, and abuse of HTTP/2, against the real server. Prints one table; exit status 1 where anything is at fault.
import {setTimeout as sleep} from 'node:timers/promises';
import {parseArgs} from 'node:util';
import {randomStream} from '../../src/random.js';
import {type FuzzOptions, forgeTokens, fuzzRpc, type Tally} from './fuzz-calls.js';
import {attacks} from './http2-abuse.js';
import {type Rpc, rpcs} from './seeds.js';
import {startWorld, type World} from './world.js';

/** Resident memory may grow by so much from the end of the first calls to the end of all. */
const allowedGrowthMiB = 100;

export interface FuzzReport {
  rows: {name: string; tally: Tally; residentMiB: number}[];
  faults: string[];
}

/** only: one RPC; each: told of every row as it is done. */
export async function fuzz(
  world: World,
  {calls, seed, only}: FuzzOptions & {only?: Rpc},
  each: (row: FuzzReport['rows'][number]) => void = () => {},
): Promise<FuzzReport> {
  const rows: FuzzReport['rows'] = [];
  const faults: string[] = [];
  const chosen = only ? [only] : rpcs;
  // First a few of each RPC: what the server keeps for good, it has by then.
  for (const rpc of chosen)
    faults.push(...(await fuzzRpc(world, rpc, {calls: Math.ceil(calls / 20), seed: seed + 1})).faults);
  const before = await settled(world);
  const row = async (name: string, work: () => Promise<Tally>) => {
    const tally = await work();
    faults.push(...tally.faults, ...(await aliveness(world, name)));
    rows.push({name, tally, residentMiB: world.residentMiB()});
    each(rows.at(-1)!);
  };
  for (const rpc of chosen) await row(rpc, () => fuzzRpc(world, rpc, {calls, seed}));
  if (!only) {
    await row('forged resume tokens', () => forgeTokens(world, {calls, seed}));
    for (const attack of attacks) await row(attack.name, () => attacked(world, attack.run, seed));
  }
  const after = await settled(world);
  if (after - before > allowedGrowthMiB)
    faults.push(`memory grew from ${before.toFixed(0)} to ${after.toFixed(0)} MiB`);
  return {rows, faults};
}

async function attacked(world: World, run: (typeof attacks)[number]['run'], seed: number): Promise<Tally> {
  const startedAt = performance.now();
  await run(Number(world.server.address.split(':').at(-1)), randomStream(seed, 'data', 99));
  return {calls: 1, codes: {}, faults: [], seconds: (performance.now() - startedAt) / 1000};
}

/** The same process answers, soon and rightly. */
async function aliveness({server, admin}: World, after: string): Promise<string[]> {
  if (server.child.exitCode !== null || server.child.signalCode !== null)
    throw new Error(`the server ended after ${after}`);
  const startedAt = performance.now();
  try {
    const {name} = await admin.getRun({name: 'runs/ref'}, {signal: AbortSignal.timeout(10_000)});
    const ms = performance.now() - startedAt;
    return name === 'runs/ref' && ms < 5000 ? [] : [`after ${after} a call took ${ms.toFixed(0)} ms`];
  } catch (error) {
    return [`after ${after} a call failed: ${error}`];
  }
}

async function settled(world: World): Promise<number> {
  await sleep(1000);
  return world.residentMiB();
}

async function main(): Promise<void> {
  const {values} = parseArgs({
    options: {calls: {type: 'string', default: '100000'}, seed: {type: 'string', default: '1'}, rpc: {type: 'string'}},
  });
  const world = await startWorld();
  try {
    const options = {calls: Number(values.calls), seed: Number(values.seed), only: values.rpc as Rpc | undefined};
    const {faults} = await fuzz(world, options, ({name, tally, residentMiB}) => {
      for (const fault of tally.faults.slice(0, 3)) console.log(`FAULT ${fault}`);
      const codes = Object.entries(tally.codes).map(([code, count]) => `${code} ${count}`);
      console.log(
        `${name}: ${tally.calls} in ${tally.seconds.toFixed(0)} s, ${residentMiB.toFixed(0)} MiB; ${codes.join(', ')}`,
      );
    });
    for (const fault of faults) console.log(`FAULT ${fault}`);
    console.log(`${faults.length} faults, seed ${values.seed}`);
    process.exitCode = faults.length === 0 ? 0 : 1;
  } finally {
    await world.stop();
  }
}

if (process.argv[1]?.endsWith('fuzz.ts')) await main();
