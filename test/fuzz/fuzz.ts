// npm run fuzz -- [--calls 100000] [--seed 1] [--only getRun,tokens,attacks]: every RPC with messages that are wrong in every way, forged resume
// tokens, and abuse of HTTP/2, against the real server. Prints one table; exit status 1 where anything is at fault.
import {setTimeout as sleep} from 'node:timers/promises';
import {parseArgs} from 'node:util';
import {randomStream} from '../../src/random.js';
import {type FuzzOptions, forgeTokens, fuzzRpc, type Tally} from './fuzz-calls.js';
import {type Attack, attacks} from './http2-abuse.js';
import {rpcs} from './seeds.js';
import {startWorld, type World} from './world.js';

/** Resident memory may grow by so much from the end of the first calls to the end of all. */
const allowedGrowthMiB = 100;

export interface FuzzReport {
  rows: {name: string; tally: Tally; residentMiB: number}[];
  faults: string[];
}

/** only: RPCs, tokens, attacks; all when undefined. each: told of every row as it is done. */
export async function fuzz(
  world: World,
  {calls, seed, only}: FuzzOptions & {only?: string[]},
  each: (row: FuzzReport['rows'][number]) => void = () => {},
): Promise<FuzzReport> {
  const rows: FuzzReport['rows'] = [];
  const faults: string[] = [];
  const isChosen = (name: string) => !only || only.includes(name);
  const chosen = rpcs.filter(isChosen);
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
  if (isChosen('tokens')) await row('forged resume tokens', () => forgeTokens(world, {calls, seed}));
  if (isChosen('attacks'))
    for (const {name, run} of attacks) await row(name, () => attacked(world, run, {calls, seed}));
  const after = await settled(world);
  if (after - before > allowedGrowthMiB)
    faults.push(`memory grew from ${before.toFixed(0)} to ${after.toFixed(0)} MiB`);
  return {rows, faults};
}

async function attacked(world: World, run: Attack['run'], {calls, seed}: FuzzOptions): Promise<Tally> {
  const startedAt = performance.now();
  const port = Number(world.server.address.split(':').at(-1));
  await run(port, randomStream(seed, 'data', 99), Math.min(1, calls / 1000));
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
    options: {calls: {type: 'string', default: '100000'}, seed: {type: 'string', default: '1'}, only: {type: 'string'}},
  });
  const world = await startWorld();
  try {
    const options = {calls: Number(values.calls), seed: Number(values.seed), only: values.only?.split(',')};
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
