// How much of the processors everybody else used while a benchmark ran: what makes its times worth nothing when it is large.
import {readFileSync} from 'node:fs';
import {availableParallelism} from 'node:os';

/** Seconds since the machine, and this process, started. */
export interface ProcessorTimes {
  wall: number;
  /** Of all processors, in use by anybody. */
  all: number;
  /** Used by this process and by the children that it has seen the end of. */
  own: number;
}

/** Above it, a page of results says so. */
export const quietShare = 0.05;

const ticksPerSecond = 100;

export function processorTimes(): ProcessorTimes {
  return {
    wall: performance.now() / 1000,
    all: allTicks(readFileSync('/proc/stat', 'utf8')) / ticksPerSecond,
    own: ownTicks(readFileSync('/proc/self/stat', 'utf8')) / ticksPerSecond,
  };
}

/** Between two moments, of all processors; every child that was started between them must have ended. */
export function othersShare(before: ProcessorTimes, after: ProcessorTimes, cores = availableParallelism()): number {
  const others = after.all - before.all - (after.own - before.own);
  return Math.max(0, others / ((after.wall - before.wall) * cores));
}

/** Of /proc/stat: user, nice, system, then idle and waiting, which are not in use, then interrupts and what other machines took. */
export function allTicks(text: string): number {
  const [user, nice, system, , , ...rest] = text.split('\n')[0].trim().split(/\s+/).slice(1, 9).map(Number);
  return [user, nice, system, ...rest].reduce((sum, ticks) => sum + ticks, 0);
}

/** Of /proc/self/stat: utime, stime, cutime and cstime, after the name in brackets, which may hold anything. */
export function ownTicks(text: string): number {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}
