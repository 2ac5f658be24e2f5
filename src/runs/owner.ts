// Who holds a lease or a temporary file: host, process and a random part, so that a restarted process knows its former life's.
import {randomUUID} from 'node:crypto';
import {hostname} from 'node:os';

/** Owners made by this very process: several may live in it. */
const living = new Set<string>();

/** Usable in file names; counts as living until it is released, or the process is gone. */
export function newOwner(): string {
  const owner = [hostname(), process.pid, randomUUID().slice(0, 8)].join('~');
  living.add(owner);
  return owner;
}

export function releaseOwner(owner: string): void {
  living.delete(owner);
}

/** True only where it is sure: a process of this machine that is gone, or whose id is ours by now, as in a restarted container. */
export function isDeadOwner(owner: string): boolean {
  const [host, pid] = owner.split('~');
  if (host !== hostname()) return false;
  if (Number(pid) === process.pid) return !living.has(owner);
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}
