// What runs/ asks of the place where files outlive a process, a directory or a bucket: blobs that are named by their bytes, and the
// files of a run. One suite of tests runs on both.
import type {FtftError} from '../errors.js';
import type {CheckpointFile} from './trainer-protocol.js';

/** What a blob is, for its reader's errors: it is not there, or its bytes are others. found: what it is instead. */
export type Damaged = (file: string, found: string) => FtftError;

export interface StoredBlob {
  sha256: string;
  numBytes: number;
  /** Milliseconds since 1970, by the clock of the place: when it was put last. */
  putTime: number;
}

export interface BlobStore {
  /** On a local disk, gone with this process; made by whoever needs it. */
  readonly temporaryFolder: string;
  /**
   * Its SHA-256, in hex, once it is whole under its name, where an equal one is replaced. An error leaves nothing behind:
   * RESOURCE_EXHAUSTED/DISK_FULL, or UNAVAILABLE/STORE_UNAVAILABLE.
   */
  put(chunks: Iterable<Uint8Array>): Promise<string>;
  /** A local file with its bytes, checked; it stays for an hour at least. The error of the store's kind when it is damaged or gone. */
  fetch(sha256: string): Promise<string>;
  /** Whether it is there, whole or damaged. */
  has(sha256: string): Promise<boolean>;
  /** No error where there is none. */
  remove(sha256: string): Promise<void>;
  list(): AsyncIterable<StoredBlob>;
  close(): Promise<void>;
}

/** Checkpoints of a run while it trains, and its model at last. uid: the run's, which no later run has. */
export interface RunFiles {
  /** A local folder that the run's trainer writes into. */
  folder(uid: string): string;
  /** Makes a checkpoint of that folder last, for every worker. */
  keepCheckpoint(uid: string, checkpoint: CheckpointFile): Promise<void>;
  /** One that was kept, whose file is its name in that folder: it is there now, with its path. */
  fetchCheckpoint<C extends CheckpointFile>(uid: string, checkpoint: C): Promise<C>;
  /** Every one of this attempt and of earlier ones, but those of these names. */
  removeCheckpoints(uid: string, attempt: number, except: (string | undefined)[]): Promise<void>;
  removeCheckpoint(uid: string, name: string): Promise<void>;
  /** Makes a model folder that was written there last; its URI. */
  keepModel(uid: string, trained: string): Promise<string>;
  /** This process works at the run no longer: copies that only it can use. */
  forget(uid: string): Promise<void>;
  /** Of a run that has ended: all but its model. */
  removeLeftovers(run: {uid: string; modelUri?: string}): Promise<void>;
  removeAll(uid: string): Promise<void>;
  /** The uids of all runs that have files. */
  list(): AsyncIterable<string>;
}

export interface Artifacts {
  splits: BlobStore;
  dataMaps: BlobStore;
  runs: RunFiles;
  /** True where no other database names what is here: the first one that asks has the place. */
  isOwn(databaseId: string): Promise<boolean>;
  close(): Promise<void>;
}
