// A small text file → its text, never more bytes than the caller allows.
import {constants} from 'node:fs';
import {open} from 'node:fs/promises';
import {FtftError} from '../errors.js';
import {hasCode} from './atomic-file.js';

/** Undefined when there is no such file. FAILED_PRECONDITION/MODEL_INVALID when it is larger than maxBytes or not UTF-8. */
export async function readTextIfPresent(file: string, maxBytes: number): Promise<string | undefined> {
  // Without O_NONBLOCK a named pipe would wait for its writer.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch(error => {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  });
  if (!handle) return undefined;
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw invalid(file, 'it must be a regular file');
    if (stats.size > maxBytes) throw invalid(file, `it must have at most ${maxBytes} bytes, found ${stats.size}`);
    return new TextDecoder('utf-8', {fatal: true}).decode(await handle.readFile());
  } catch (error) {
    throw error instanceof TypeError ? invalid(file, 'it must be UTF-8') : error;
  } finally {
    await handle.close();
  }
}

function invalid(file: string, expected: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot read ${file}: ${expected}`, {reason: 'MODEL_INVALID'});
}
