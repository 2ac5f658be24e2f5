// One fault of the schedule, made: what is broken, and how it is mended.
import {rmSync} from 'node:fs';
import {join} from 'node:path';
import {fillUp} from '../support/small-disk.js';
import type {Fault} from './schedule.js';
import type {World} from './world.js';

/** Farthest that a clock is moved; a clock of the database that goes back keeps leases alive for as long. */
const farthestSeconds = 3600;
const farthestBackSeconds = 3;

export interface Made {
  what: string;
  /** Nothing to mend when undefined: who was killed is started again by its supervisor. */
  mend?: () => unknown;
}

/** Undefined where there is nothing to break at this moment, such as no trainer to be killed. */
export async function make(world: World, {kind, pick, amount}: Fault): Promise<Made | undefined> {
  const {apis, workers, links, clocks, postgres, disk} = world;
  switch (kind) {
    case 'kill-api':
    case 'kill-worker': {
      const member = choose(kind === 'kill-api' ? apis : workers, pick);
      member.kill();
      return {what: `SIGKILL to ${member.name}`};
    }
    case 'kill-trainer': {
      const trainers = workers.flatMap(worker => worker.trainers());
      if (trainers.length === 0) return undefined;
      const pid = choose(trainers, pick);
      if (!signal(pid, 'SIGKILL')) return undefined;
      return {what: `SIGKILL to trainer ${pid}`};
    }
    case 'kill-database':
      await postgres!.kill();
      return {what: 'SIGKILL to the database', mend: () => postgres!.start()};
    case 'pause-worker': {
      const worker = choose(workers, pick);
      worker.pause();
      return {what: `SIGSTOP to ${worker.name}`, mend: () => worker.resume()};
    }
    case 'cut-network': {
      const [member, link] = choose([...links], pick);
      link.cut();
      return {what: `${member.name} cut off by ${link.kind}`, mend: () => link.mend()};
    }
    case 'move-clock': {
      const names = [...world.members.map(({name}) => name), ...(postgres ? ['database'] : [])];
      const name = choose(names, pick);
      const back = name === 'database' || world.engine === 'sqlite' ? farthestBackSeconds : farthestSeconds;
      const seconds = amount < 0.5 ? -back * 2 * amount : farthestSeconds * (2 * amount - 1);
      clocks.move(name, seconds);
      return {what: `clock of ${name} moved by ${seconds.toFixed(1)} s`, mend: () => clocks.move(name, 0)};
    }
    case 'fill-disk': {
      const ballast = join(disk!, 'ballast');
      fillUp(disk!, ballast);
      return {what: 'disk filled', mend: () => rmSync(ballast, {force: true})};
    }
  }
}

const choose = <T>(from: readonly T[], pick: number): T => from[Math.floor(pick * from.length)];

/** False when the process is gone. */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}
