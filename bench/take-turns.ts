// Ways of doing the same work in; the seconds of each, measured in turns so that all of them meet the same machine, out.

export interface Rounds {
  /** Rounds that are kept. */
  rounds: number;
  /** Rounds before them that are not. */
  warmUps: number;
}

/** What a side gives for one turn: the seconds of each repetition in it. */
export type Turn = (round: number) => Promise<number[]>;

/**
 * Every side has one turn a round, and who begins changes from round to round. Rounds count from -warmUps, so that round 0 is the first
 * one kept. A side may sit out by giving no seconds.
 */
export async function takeTurns<Name extends string>(
  sides: Record<Name, Turn>,
  {rounds, warmUps}: Rounds,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(sides) as Name[];
  const seconds = Object.fromEntries(names.map(name => [name, []])) as unknown as Record<Name, number[]>;
  for (let round = -warmUps; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round + warmUps) % names.length];
      const taken = await sides[name](round);
      if (round >= 0) seconds[name].push(...taken);
    }
  }
  return seconds;
}

/** Of one piece of work. */
export async function secondsOf(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}
