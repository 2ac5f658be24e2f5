// A small file → its bytes or its text, never more bytes than the caller allows.
import {constants} from 'node:fs';
import {open} from 'node:fs/promises';
import {FtftError} from '../errors.js';
import {hasCode} from './atomic-file.js';

/** Undefined when there is no such file. FAILED_PRECONDITION/MODEL_INVALID when it is larger than maxBytes. */
export async function readBytesIfPresent(file: string, maxBytes: number): Promise<Buffer | undefined> {
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
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** As readBytesIfPresent; MODEL_INVALID also when it is not UTF-8. */
export async function readTextIfPresent(file: string, maxBytes: number): Promise<string | undefined> {
  const bytes = await readBytesIfPresent(file, maxBytes);
  return bytes && decodeText(file, bytes);
}

export function decodeText(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', {fatal: true}).decode(bytes);
  } catch {
    throw invalid(file, 'it must be UTF-8');
  }
}

function invalid(file: string, expected: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot read ${file}: ${expected}`, {reason: 'MODEL_INVALID'});
}
