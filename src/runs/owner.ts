// Who holds a lease or a temporary file: host, process, a random part and the host's life, so that a restarted process knows its
// former life's.
import {createHash, randomUUID} from 'node:crypto';
import {readFileSync, readlinkSync} from 'node:fs';
import {hostname} from 'node:os';

/** Owners made by this very process: several may live in it. */
const living = new Set<string>();

/** Of the machine since its start, and of the space in which process ids count; another container has another one. */
const life = createHash('sha256')
  .update(read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')))
  .update(read(() => readlinkSync('/proc/self/ns/pid')))
  .digest('hex')
  .slice(0, 8);

/** Usable in file names; counts as living until it is released, or the process is gone. */
export function newOwner(): string {
  const owner = [hostname(), process.pid, randomUUID().slice(0, 8), life].join('~');
  living.add(owner);
  return owner;
}

export function releaseOwner(owner: string): void {
  living.delete(owner);
}

/**
 * True only where it is sure: a process of this machine that is gone, or whose id is ours by now, as in a restarted container.
 * Where hosts may share a name, as over a network, the name of a host says nothing about its earlier lives.
 */
export function isDeadOwner(owner: string, mayShareNames = false): boolean {
  const [host, pid, , itsLife = life] = owner.split('~');
  if (host !== hostname() || (mayShareNames && itsLife !== life)) return false;
  if (Number(pid) === process.pid) return !living.has(owner);
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}

function read(get: () => string): string {
  try {
    return get();
  } catch {
    return '';
  }
}
