// A file system in memory of a few MiB, to be filled up: the real ENOSPC without a full machine.
import {execFileSync, spawnSync} from 'node:child_process';
import {mkdirSync, statfsSync, writeFileSync} from 'node:fs';
import type {TestContext} from 'node:test';

const sizeBytes = 4 << 20;
export const mayNotMount = 'needs the right to mount a small file system';

/** False, with the test skipped and the reason said, where this user may not mount. */
export function mountSmallDisk(t: TestContext, disk: string): boolean {
  const isMounted = mount(disk, sizeBytes);
  if (!isMounted) t.skip(mayNotMount);
  return isMounted;
}

/** A fresh folder; false where this user may not mount. */
export function mount(disk: string, size: number): boolean {
  mkdirSync(disk);
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk]).status === 0;
}

/** Lazily: a binding keeps its file open until its statements are collected. */
export const unmount = (disk: string): Buffer => execFileSync('umount', ['-l', disk]);

/** Writes into the file until nothing more fits; others may write to the disk meanwhile. */
export function fillUp(disk: string, ballast: string): void {
  while (free(disk) > 0) {
    try {
      writeFileSync(ballast, Buffer.alloc(free(disk)), {flag: 'a'});
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
}

const free = (disk: string): number => {
  const {bavail, bsize} = statfsSync(disk);
  return bavail * bsize;
};
