// A model folder → the SavedModel of it, in a folder that is there whole or not at all. A child process makes it.
import {spawn} from 'node:child_process';
import {mkdir, readdir, rename, rm, rmdir} from 'node:fs/promises';
import {basename, dirname, join, resolve} from 'node:path';
import {FtftError} from '../errors.js';
import type {FromExport} from '../export.js';
import {processCommand} from './server-process.js';

/** ALREADY_EXISTS/FOLDER_NOT_EMPTY, and the errors of pipeline/export-model.ts. */
export async function exportModel(modelFolder: string, target: string, signal: AbortSignal): Promise<void> {
  const folder = resolve(target);
  await refuseFull(folder);
  const partial = join(dirname(folder), `.${basename(folder)}-${process.pid}`);
  await mkdir(partial, {recursive: true});
  try {
    await runExport(modelFolder, partial, signal);
    // An empty folder gives way; one that has been filled meanwhile does not.
    await rmdir(folder).catch(() => {});
    await rename(partial, folder);
  } finally {
    await rm(partial, {recursive: true, force: true});
  }
}

async function refuseFull(folder: string): Promise<void> {
  const [found] = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  if (found === undefined) return;
  const message = `Cannot export to ${folder}: it must be a new or an empty folder, it holds ${found}; name another, such as the next version`;
  throw new FtftError('ALREADY_EXISTS', message, {reason: 'FOLDER_NOT_EMPTY'});
}

async function runExport(modelFolder: string, folder: string, signal: AbortSignal): Promise<void> {
  const [file, ...args] = processCommand('export');
  const child = spawn(file, [...args, modelFolder, folder], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
    killSignal: 'SIGKILL',
    signal,
  });
  // TensorFlow's notes at its start are of no interest unless the process breaks.
  let notes = '';
  child.stderr!.on('data', piece => {
    notes = (notes + piece).slice(-4000);
  });
  const answer = await new Promise<FromExport | undefined>((resolve, reject) => {
    let told: FromExport | undefined;
    child.on('message', message => {
      told = message as FromExport;
    });
    child.once('error', reject);
    child.once('close', () => resolve(told));
  });
  if (answer?.kind === 'failed') throw FtftError.fromPlain(answer.error);
  if (!answer) throw new FtftError('INTERNAL', `Cannot export ${modelFolder}: ${notes.trim()}`, {reason: 'UNEXPECTED'});
}
