// A download's file while it grows, beside the blob that it becomes → one that this process alone writes, begun anew or where another left
// off. Python's cache is shared: its names (<digest>.incomplete, <digest>.<id>.incomplete) are continued too, once nobody writes them.
import {randomUUID} from 'node:crypto';
import {readdir, rename, rm, stat} from 'node:fs/promises';
import {hostname} from 'node:os';
import {basename, dirname, join} from 'node:path';
import {hasCode} from './atomic-file.js';

const ending = '.incomplete';
/** After this long without a byte, a file whose writer we cannot ask has none. */
const abandonedAfterMs = 10 * 60_000;
/** Those that this process writes: a process before it may have had the same id. */
const active = new Set<string>();

/** The largest file that an ended process, or a broken-off attempt of this one, left behind; else the name of a new one. */
export async function claimPartial(blob: string): Promise<string> {
  const own = `${blob}.${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}${ending}`;
  active.add(own);
  for (const partial of await abandonedPartials(blob)) {
    const isClaimed = await rename(partial, own).then(
      () => true,
      error => {
        // Another process was first.
        if (hasCode(error, 'ENOENT')) return false;
        throw error;
      },
    );
    if (isClaimed) break;
  }
  return own;
}

/** Lets the next attempt continue it. */
export async function releasePartial(partial: string, blob: string): Promise<void> {
  active.delete(partial);
  await rename(partial, `${blob}.left${ending}`).catch(() => undefined);
}

/** The blob is there: nobody needs what ended processes left of it. */
export async function completePartial(partial: string, blob: string): Promise<void> {
  await rename(partial, blob);
  active.delete(partial);
  for (const abandoned of await abandonedPartials(blob)) await rm(abandoned, {force: true});
}

export async function removePartial(partial: string): Promise<void> {
  active.delete(partial);
  await rm(partial, {force: true});
}

/** Largest first. */
async function abandonedPartials(blob: string): Promise<string[]> {
  const folder = dirname(blob);
  const found: {path: string; size: number}[] = [];
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(blob)}.`) || !name.endsWith(ending)) continue;
    const path = join(folder, name);
    const stats = await stat(path).catch(() => undefined);
    if (stats?.isFile() && isAbandoned(blob, path, stats.mtimeMs)) found.push({path, size: stats.size});
  }
  return found.sort((a, b) => b.size - a.size).map(({path}) => path);
}

function isAbandoned(blob: string, path: string, mtimeMs: number): boolean {
  const owner = path.slice(`${blob}.`.length, -ending.length);
  if (owner === 'left') return true;
  const [, host, pid] = /^(.+)-(\d+)-[0-9a-f]{8}$/.exec(owner) ?? [];
  if (host === hostname()) {
    if (Number(pid) === process.pid) return !active.has(path);
    if (!isAlive(Number(pid))) return true;
  }
  return Date.now() - mtimeMs > abandonedAfterMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, 'ESRCH');
  }
}
