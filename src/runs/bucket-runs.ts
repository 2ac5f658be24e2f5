// The files of runs as objects of a bucket: trainers write into local folders of this process's own, and what is to last is put from there.
import {mkdir, readdir, rm} from 'node:fs/promises';
import {basename, join, relative} from 'node:path';
import {writeFileAtomically} from '../data/atomic-file.js';
import {FtftError} from '../errors.js';
import type {RunFiles} from './artifacts.js';
import type {Bucket} from './bucket.js';
import {attemptOf} from './checkpoint-names.js';
import {sha256Of} from './checkpoints.js';
import type {CheckpointFile} from './trainer-protocol.js';

/** As of the command sha256sum. */
const digests = 'SHA256SUMS';

export class BucketRuns implements RunFiles {
  /** parent: of the runs' local folders, which goes with this process. */
  constructor(
    private readonly bucket: Bucket,
    private readonly parent: string,
  ) {}

  folder(uid: string): string {
    return join(this.parent, uid);
  }

  async keepCheckpoint(uid: string, {file, sha256}: CheckpointFile): Promise<void> {
    await this.bucket.put(keyOf(uid, basename(file), sha256), file);
  }

  async fetchCheckpoint<C extends CheckpointFile>(uid: string, checkpoint: C): Promise<C> {
    const {file: name, sha256} = checkpoint;
    const file = join(this.folder(uid), name);
    const key = keyOf(uid, name, sha256);
    await mkdir(this.folder(uid), {recursive: true});
    const isThere = await this.bucket.read(key, bytes => writeFileAtomically(file, bytes));
    const found = isThere ? await sha256Of(file) : 'not there';
    if (found === sha256) return {...checkpoint, file};
    throw new FtftError(
      'FAILED_PRECONDITION',
      `Cannot go on from checkpoint ${this.bucket.uri(key)}: its SHA-256 must be ${sha256}, it is ${found}; start the run anew`,
      {reason: 'CHECKPOINT_CORRUPT'},
    );
  }

  async removeCheckpoints(uid: string, attempt: number, except: (string | undefined)[]): Promise<void> {
    const isOver = (name: string): boolean => {
      const its = attemptOf(name);
      return its !== undefined && its <= attempt && !except.includes(name);
    };
    for (const name of await readdir(this.folder(uid)).catch(() => []))
      if (isOver(name)) await rm(join(this.folder(uid), name), {force: true});
    await this.removeKeys(`${checkpointsOf(uid)}/`, key => isOver(nameOf(key)));
  }

  async removeCheckpoint(uid: string, name: string): Promise<void> {
    await rm(join(this.folder(uid), name), {force: true});
    await this.removeKeys(`${checkpointsOf(uid)}/`, key => nameOf(key) === name);
  }

  /** The folder is named by the digest of its list of digests, which is put last. */
  async keepModel(uid: string, trained: string): Promise<string> {
    const names = (await readdir(trained, {recursive: true, withFileTypes: true}))
      .filter(entry => entry.isFile() && entry.name !== digests)
      .map(entry => relative(trained, join(entry.parentPath, entry.name)))
      .sort();
    const lines: string[] = [];
    for (const name of names) lines.push(`${await sha256Of(join(trained, name))}  ${name}\n`);
    await writeFileAtomically(join(trained, digests), [Buffer.from(lines.join(''))]);
    const folder = `runs/${uid}/model-${(await sha256Of(join(trained, digests))).slice(0, 16)}`;
    for (const name of [...names, digests]) await this.bucket.put(`${folder}/${name}`, join(trained, name));
    return this.bucket.uri(folder);
  }

  async forget(uid: string): Promise<void> {
    await rm(this.folder(uid), {recursive: true, force: true});
  }

  async removeLeftovers({uid, modelUri}: {uid: string; modelUri?: string}): Promise<void> {
    await this.forget(uid);
    await this.removeKeys(
      `runs/${uid}/`,
      key => modelUri === undefined || !this.bucket.uri(key).startsWith(`${modelUri}/`),
    );
  }

  async removeAll(uid: string): Promise<void> {
    await this.removeLeftovers({uid});
  }

  async *list(): AsyncGenerator<string> {
    yield* this.bucket.folders('runs/');
  }

  private async removeKeys(start: string, isOver: (key: string) => boolean): Promise<void> {
    const keys: string[] = [];
    for await (const {key} of this.bucket.list(start)) if (isOver(key)) keys.push(key);
    await this.bucket.remove(keys);
  }
}

const extension = '.safetensors';
const checkpointsOf = (uid: string): string => `runs/${uid}/checkpoints`;

/** Beside its name the SHA-256 of its bytes: what was put is never replaced by something else. */
const keyOf = (uid: string, name: string, sha256: string): string =>
  `${checkpointsOf(uid)}/${basename(name, extension)}.${sha256}${extension}`;

const nameOf = (key: string): string => basename(key).replace(/\.[0-9a-f]{64}(?=\.safetensors$)/, '');
