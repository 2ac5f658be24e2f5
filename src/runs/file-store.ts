// Bytes in, a file named by their SHA-256 out: whole or not there. Splits and data maps lie in such files.
import {createHash, randomUUID} from 'node:crypto';
import {mkdir, open, readdir, rename, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {explainDiskError, syncFolder} from '../data/atomic-file.js';
import {isDeadOwner} from './owner.js';

export class FileStore {
  /** Gone with this process; made by whoever needs it. */
  readonly temporaryFolder: string;

  /** extension: with its dot. owner: this process, so that a later one knows what a dead one left behind. */
  constructor(
    private readonly folder: string,
    private readonly extension: string,
    private readonly owner: string,
  ) {
    this.temporaryFolder = join(folder, `.incoming-${owner}`);
  }

  path(sha256: string): string {
    return join(this.folder, `${sha256}${this.extension}`);
  }

  /** The SHA-256, in hex. RESOURCE_EXHAUSTED/DISK_FULL when they do not fit; an error leaves nothing behind. */
  async put(chunks: Iterable<Uint8Array>): Promise<string> {
    const temporary = join(this.temporaryFolder, randomUUID());
    try {
      await mkdir(this.temporaryFolder, {recursive: true});
      const hash = createHash('sha256');
      const handle = await open(temporary, 'wx');
      try {
        for (const chunk of chunks) {
          hash.update(chunk);
          await handle.writeFile(chunk);
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
      const sha256 = hash.digest('hex');
      await rename(temporary, this.path(sha256));
      await syncFolder(this.folder);
      return sha256;
    } catch (error) {
      await rm(temporary, {force: true});
      throw explainDiskError(error, this.folder);
    }
  }

  async remove(sha256: string): Promise<void> {
    await rm(this.path(sha256), {force: true});
  }

  /** Removes what processes left behind that are no more. */
  async sweep(): Promise<void> {
    await mkdir(this.folder, {recursive: true});
    for (const name of await readdir(this.folder)) {
      const [, owner] = /^\.incoming-(.*)$/.exec(name) ?? [];
      if (owner !== undefined && owner !== this.owner && isDeadOwner(owner))
        await rm(join(this.folder, name), {recursive: true, force: true});
    }
  }

  async close(): Promise<void> {
    await rm(this.temporaryFolder, {recursive: true, force: true});
  }
}
