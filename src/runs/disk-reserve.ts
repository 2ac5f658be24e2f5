// A file that holds some room on the disk, so that a run that fails for want of room can still be written down as failed.
import {randomBytes} from 'node:crypto';
import {rm, stat} from 'node:fs/promises';
import {writeFileAtomically} from '../data/atomic-file.js';

const reservedBytes = 1 << 20;

export class DiskReserve {
  constructor(private readonly file: string) {}

  /** Takes the room, where it is not taken. RESOURCE_EXHAUSTED/DISK_FULL when there is none. */
  async take(): Promise<void> {
    const found = await stat(this.file).catch(() => undefined);
    // Random, since zeros take no room on a file system that compresses.
    if (!found) await writeFileAtomically(this.file, [randomBytes(reservedBytes)]);
  }

  async release(): Promise<void> {
    await rm(this.file, {force: true});
  }
}
