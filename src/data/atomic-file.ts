// Bytes → a file or a folder that is there whole or not at all: written under a temporary name, synced, renamed.
import {randomUUID} from 'node:crypto';
import {mkdir, open, rename, rm} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import {FtftError} from '../errors.js';

/** Writes the chunks; an error of theirs or of the disk leaves what was at `file` before. RESOURCE_EXHAUSTED/DISK_FULL when the disk is full. */
export async function writeFileAtomically(
  file: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const temporary = temporaryName(file);
  try {
    await mkdir(dirname(file), {recursive: true});
    const handle = await open(temporary, 'wx');
    try {
      for await (const chunk of chunks) await handle.writeFile(chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncFolder(dirname(file));
  } catch (error) {
    await rm(temporary, {force: true});
    throw explainDiskError(error, file);
  }
}

/** Calls `fill` with a temporary folder and renames that to `folder`, in place of what was there. */
export async function writeFolderAtomically(folder: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = temporaryName(folder);
  const previous = temporaryName(folder);
  try {
    await mkdir(temporary, {recursive: true});
    await fill(temporary);
    await syncFolder(temporary);
    // A folder cannot be renamed over one that holds files: the old one steps aside first.
    await rename(folder, previous).catch(error => {
      if (!hasCode(error, 'ENOENT')) throw error;
    });
    await rename(temporary, folder);
    await syncFolder(dirname(folder));
    await rm(previous, {recursive: true, force: true});
  } catch (error) {
    await rm(temporary, {recursive: true, force: true});
    throw explainDiskError(error, folder);
  }
}

/** A full disk as RESOURCE_EXHAUSTED/DISK_FULL; any other error as it is. */
export function explainDiskError(error: unknown, path: string): unknown {
  if (!hasCode(error, 'ENOSPC') && !hasCode(error, 'EDQUOT')) return error;
  return new FtftError(
    'RESOURCE_EXHAUSTED',
    `Cannot write ${path}: the disk is full; free some space and try again`,
    {
      reason: 'DISK_FULL',
    },
    {cause: error},
  );
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
}

/** Makes a renaming inside the folder last. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
