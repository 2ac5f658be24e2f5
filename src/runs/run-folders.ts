// The files of runs in a directory: each run's trainer writes where they stay, under names of its attempt's own.
import {access, readdir, rename, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import type {RunFiles} from './artifacts.js';
import {attemptOf} from './checkpoint-names.js';
import type {CheckpointFile} from './trainer-protocol.js';

export class RunFolders implements RunFiles {
  /** parent: of the runs' folders. */
  constructor(private readonly parent: string) {}

  folder(uid: string): string {
    return join(this.parent, uid);
  }

  /** Its trainer synced it. */
  async keepCheckpoint(): Promise<void> {}

  async fetchCheckpoint<C extends CheckpointFile>(uid: string, checkpoint: C): Promise<C> {
    return {...checkpoint, file: join(this.folder(uid), checkpoint.file)};
  }

  async removeCheckpoints(uid: string, attempt: number, except: (string | undefined)[]): Promise<void> {
    for (const name of await this.names(uid)) {
      const its = attemptOf(name);
      if (its !== undefined && its <= attempt && !except.includes(name)) await this.removeCheckpoint(uid, name);
    }
  }

  async removeCheckpoint(uid: string, name: string): Promise<void> {
    await rm(join(this.folder(uid), name), {force: true});
  }

  /** Takes the place of what an earlier attempt may have left there. */
  async keepModel(uid: string, trained: string): Promise<string> {
    const kept = join(this.folder(uid), 'model');
    // An attempt that slept while another ended the run has nothing to put there any more.
    await access(trained);
    await rm(kept, {recursive: true, force: true});
    await rename(trained, kept);
    return pathToFileURL(kept).href;
  }

  async forget(): Promise<void> {}

  async removeLeftovers({uid}: {uid: string}): Promise<void> {
    for (const name of await this.names(uid))
      if (name !== 'model') await rm(join(this.folder(uid), name), {recursive: true, force: true});
  }

  async removeAll(uid: string): Promise<void> {
    await rm(this.folder(uid), {recursive: true, force: true});
  }

  async *list(): AsyncGenerator<string> {
    yield* await readdir(this.parent).catch(() => []);
  }

  private async names(uid: string): Promise<string[]> {
    return await readdir(this.folder(uid)).catch(() => []);
  }
}
