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
  const found = await readdir(folder).then(
    ([name]) => name && `it holds ${name}`,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      if (error.code === 'ENOTDIR') return 'it is a file';
      throw error;
    },
  );
  if (found === undefined) return;
  const message = `Cannot export to ${folder}: it must be a new or an empty folder, ${found}; name another, such as the next version`;
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
    // One that has begun is waited for, also when it was killed: nobody may write any more when what is half done is removed.
    child.on('error', error => {
      if (child.pid === undefined) reject(error);
    });
    child.once('close', () => resolve(told));
  });
  signal.throwIfAborted();
  if (answer?.kind === 'failed') throw FtftError.fromPlain(answer.error);
  if (answer) return;
  const why = notes.split('\n').filter(line => line.trim() !== '' && !/^\s+at /.test(line));
  const lines = [`Cannot export ${modelFolder}: the process that does it broke`, ...why.slice(-5)].join('\n  ');
  throw new FtftError('INTERNAL', lines, {reason: 'UNEXPECTED'});
}
