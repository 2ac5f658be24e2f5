// Bytes in, a file named by their SHA-256 out: whole or not there. Splits and data maps lie in such files, or copies of theirs.
import {createHash, randomUUID} from 'node:crypto';
import {mkdir, open, readdir, rename, rm, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {explainDiskError, hasCode, syncFolder} from '../data/atomic-file.js';
import {FtftError} from '../errors.js';
import type {BlobStore, Damaged, StoredBlob} from './artifacts.js';
import {sha256Of} from './checkpoints.js';
import {isDeadOwner} from './owner.js';

const damagedFile: Damaged = (file, found) =>
  new FtftError('FAILED_PRECONDITION', `Cannot read ${file}: it must be as it was written, but ${found}`, {
    reason: 'FILE_CORRUPT',
  });

export class FileStore implements BlobStore {
  readonly temporaryFolder: string;
  /** Files whose bytes were right, by name; with what shows that they were not written since. */
  private readonly checked = new Map<string, string>();

  /** extension: with its dot. owner: this process, so that a later one knows what a dead one left behind. */
  constructor(
    private readonly folder: string,
    private readonly extension: string,
    private readonly owner: string,
    private readonly damaged: Damaged = damagedFile,
  ) {
    this.temporaryFolder = join(folder, `.incoming-${owner}`);
  }

  path(sha256: string): string {
    return join(this.folder, `${sha256}${this.extension}`);
  }

  async put(chunks: Iterable<Uint8Array>): Promise<string> {
    return await this.write(chunks);
  }

  /** Bytes that are to be those of this name; source: where they come from, for the error of damage. */
  async putCopy(sha256: string, chunks: AsyncIterable<Uint8Array>, source: string): Promise<void> {
    await this.write(chunks, {sha256, source});
  }

  private async write(
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    expected?: {sha256: string; source: string},
  ): Promise<string> {
    const temporary = join(this.temporaryFolder, randomUUID());
    try {
      await mkdir(this.temporaryFolder, {recursive: true});
      const hash = createHash('sha256');
      const handle = await open(temporary, 'wx');
      try {
        for await (const chunk of chunks) {
          // Hashed while it is written.
          const written = handle.writeFile(chunk);
          hash.update(chunk);
          await written;
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
      const sha256 = hash.digest('hex');
      if (expected && sha256 !== expected.sha256) throw this.damaged(expected.source, `its SHA-256 is ${sha256}`);
      await rename(temporary, this.path(sha256));
      await syncFolder(this.folder);
      return sha256;
    } catch (error) {
      await rm(temporary, {force: true});
      throw explainDiskError(error, this.folder);
    }
  }

  async fetch(sha256: string): Promise<string> {
    const file = this.path(sha256);
    const stamp = await stampOf(file);
    if (stamp === undefined) throw this.damaged(file, 'it is not there');
    if (this.checked.get(file) !== stamp) {
      const found = await sha256Of(file);
      if (found !== sha256) throw this.damaged(file, `its SHA-256 is ${found}`);
      this.checked.set(file, stamp);
    }
    return file;
  }

  async has(sha256: string): Promise<boolean> {
    return (await stampOf(this.path(sha256))) !== undefined;
  }

  async remove(sha256: string): Promise<void> {
    this.checked.delete(this.path(sha256));
    await rm(this.path(sha256), {force: true});
  }

  async *list(): AsyncGenerator<StoredBlob> {
    for (const name of await readdir(this.folder).catch(() => [])) {
      const sha256 = name.slice(0, -this.extension.length);
      if (name !== `${sha256}${this.extension}` || !/^[0-9a-f]{64}$/.test(sha256)) continue;
      const found = await stat(join(this.folder, name)).catch(() => undefined);
      if (found) yield {sha256, numBytes: found.size, putTime: found.mtimeMs};
    }
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

/** undefined where there is no file. */
async function stampOf(file: string): Promise<string | undefined> {
  try {
    const {ino, size, mtimeMs} = await stat(file);
    return `${ino} ${size} ${mtimeMs}`;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
