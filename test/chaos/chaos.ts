// npm run chaos -- [--rounds 10] [--first 0] [--seed 1] [--database sqlite|postgres|both] [--round N]: the compiled program and
// a real database, killed, paused, cut off and misled at random moments of a seeded schedule. Prints what was counted; exit status 1
// where a promise is broken.
import {parseArgs} from 'node:util';
import {invariants} from './invariants.js';
import {Rounds} from './rounds.js';
import {kindsOf} from './schedule.js';
import {type Engine, startWorld} from './world.js';

export interface ChaosOptions {
  seed: number;
  /** As Node is called for it. */
  program: string[];
  /** Their numbers: each is the same whichever came before it. */
  rounds: number[];
  /** Different runs that are submitted; all when undefined. */
  numVariants?: number;
  tell?: (line: string) => void;
}

/** Ends with the first round in which a promise is broken. */
export async function chaos(engine: Engine, options: ChaosOptions): Promise<Rounds> {
  const {seed, program, rounds: numbers, numVariants, tell = () => {}} = options;
  const world = await startWorld(engine, program);
  const rounds = new Rounds(world, seed, numVariants);
  const {broken} = rounds.findings;
  let isEnding = false;
  const interrupt = () => {
    if (isEnding) return;
    isEnding = true;
    for (const line of report(engine, seed, rounds)) tell(line);
    void world.end(false).finally(() => process.exit(130));
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
  try {
    const links = new Set([...world.links.values()].map(({kind}) => kind));
    const faults = kindsOf[engine].filter(kind => !world.skipped.has(kind));
    tell(`${engine}: faults ${faults.join(', ')}${links.size > 0 ? `; network cut by ${[...links]}` : ''}`);
    for (const [kind, reason] of world.skipped) tell(`skipped ${kind}: ${reason}`);
    await rounds.measure();
    for (const number of numbers) {
      const done = await rounds.round(number);
      tell(`round ${number}: ${done.join('; ')}`);
      if (broken.length === 0) continue;
      for (const fault of broken) tell(`BROKEN in round ${number} of seed ${seed}: ${fault}`);
      tell(`to see it again: npm run chaos -- --database ${engine} --seed ${seed} --round ${number}`);
      tell(`logs: ${world.logFolder}`);
      break;
    }
    for (const line of report(engine, seed, rounds)) tell(line);
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
    await world.end(broken.length > 0);
  }
  return rounds;
}

function report(engine: Engine, seed: number, {counts, findings}: Rounds): string[] {
  const faults = [...counts.faults].map(([kind, count]) => `${kind} ${count}`);
  return [
    `${engine}, seed ${seed}: ${counts.rounds} rounds; ${faults.join(', ')}`,
    `${counts.runs} runs, ${counts.interrupted} of them interrupted, ${counts.attempts} attempts, ${counts.resumed} of them ` +
      `from a checkpoint; ${counts.cancelled} cancelled, ${counts.suspended} suspended; ${counts.diskFull} failed for want of room; readers connected ${counts.connections} times`,
    ...invariants.map(name => `${String(findings.checked.get(name)).padStart(7)} × ${name}`),
    `${findings.broken.length} broken`,
  ];
}

async function main(): Promise<void> {
  const {values} = parseArgs({
    options: {
      rounds: {type: 'string', default: '10'},
      first: {type: 'string', default: '0'},
      seed: {type: 'string', default: '1'},
      database: {type: 'string', default: 'both'},
      round: {type: 'string'},
      program: {type: 'string', default: 'dist/main.js'},
    },
  });
  const engines: Engine[] = ['sqlite', 'postgres'];
  const chosen = engines.filter(engine => ['both', engine].includes(values.database));
  if (chosen.length === 0) throw new Error(`--database must be sqlite, postgres or both, it is ${values.database}`);
  const rounds =
    values.round === undefined
      ? Array.from({length: Number(values.rounds)}, (_, i) => Number(values.first) + i)
      : [Number(values.round)];
  for (const engine of chosen) {
    const options = {seed: Number(values.seed), program: [values.program], rounds};
    const {findings} = await chaos(engine, {...options, tell: line => console.log(line)});
    if (findings.broken.length > 0) process.exitCode = 1;
  }
}

if (process.argv[1]?.endsWith('chaos.ts')) await main();
