// A file of weights, whose bytes nobody vouches for → its bytes by position: never beyond its end, never of another file than was checked.
import {closeSync, constants, fstatSync, openSync, readSync, type Stats} from 'node:fs';
import {FtftError} from '../errors.js';
import {hasCode} from './atomic-file.js';

const maxReadBytes = 1 << 30;
const lfsPointer = Buffer.from('version https://git-lfs');

/** What tells whether a file is still the one whose header was checked. */
export type FileIdentity = Pick<Stats, 'ino' | 'size' | 'mtimeMs'>;

export class WeightsFile {
  readonly size: number;

  constructor(
    readonly path: string,
    private readonly descriptor: number,
    readonly identity: FileIdentity,
  ) {
    this.size = identity.size;
  }

  /** Allocates no more than the file holds. */
  read(position: number, length: number): Buffer<ArrayBuffer> {
    this.checkRange(position, length);
    const bytes = Buffer.from(new ArrayBuffer(length));
    this.readInto(bytes, position);
    return bytes;
  }

  readInto(target: Uint8Array, position: number): void {
    const {length} = target;
    this.checkRange(position, length);
    for (let done = 0; done < length; ) {
      const count = readSync(this.descriptor, target, done, Math.min(length - done, maxReadBytes), position + done);
      if (count === 0)
        throw invalidFile(this.path, `it must have ${position + length} bytes, it ends at ${position + done}`);
      done += count;
    }
  }

  /** The one check of all reads; callers ask it before they allocate. */
  checkRange(position: number, length: number): void {
    const end = position + length;
    if (position >= 0 && length >= 0 && Number.isSafeInteger(end) && end <= this.size) return;
    throw invalidFile(this.path, `it must have ${end} bytes, it has ${this.size}: it is cut off or damaged`);
  }
}

/** Closes the file in the end. FAILED_PRECONDITION/MODEL_INVALID for what is no regular file, or not the one of `identity`. */
export function withWeightsFile<T>(path: string, use: (file: WeightsFile) => T, identity?: FileIdentity): T {
  const descriptor = openForReading(path);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw invalidFile(path, 'it must be a regular file');
    const file = new WeightsFile(path, descriptor, stats);
    if (identity === undefined) refuseLfsPointer(file);
    else if (stats.ino !== identity.ino || stats.size !== identity.size || stats.mtimeMs !== identity.mtimeMs)
      throw invalidFile(path, 'it must stay as it was when it was opened; it has been replaced or changed');
    return use(file);
  } finally {
    closeSync(descriptor);
  }
}

export function invalidFile(path: string, expected: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot read ${path}: ${expected}`, {reason: 'MODEL_INVALID'});
}

function openForReading(path: string): number {
  try {
    // Without O_NONBLOCK a named pipe would wait for its writer.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw invalidFile(path, 'there is no such file');
    if (hasCode(error, 'EACCES')) throw invalidFile(path, 'it must be readable for this user');
    throw error;
  }
}

/** What a clone without Git LFS leaves in place of large files. */
function refuseLfsPointer(file: WeightsFile): void {
  if (file.size < lfsPointer.length || !file.read(0, lfsPointer.length).equals(lfsPointer)) return;
  throw invalidFile(file.path, 'it must hold weights, found a pointer of Git LFS: fetch the file with git lfs pull');
}
