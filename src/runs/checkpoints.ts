// A classifier's state and what was recorded of an epoch that is not whole ↔ a file whose SHA-256 is known, so that damage is found
// before it is trained on.
import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';
import {pipeline} from 'node:stream/promises';
import {openSafetensors, readSafetensorsMetadata, writeSafetensors} from '../data/safetensors.js';
import type {NamedTensor} from '../data/types.js';
import {FtftError} from '../errors.js';
import type {PartialEpoch} from '../pipeline/types.js';
import type {CheckpointFile} from './trainer-protocol.js';

/** No parameter's name begins so. */
const prefix = 'ftft.partial_epoch.';
const columns = ['p_true', 'is_correct', 'logits', 'visited'] as const;

/** On disk, synced and under its name when this resolves. RESOURCE_EXHAUSTED/DISK_FULL when it does not fit. */
export async function saveCheckpoint(
  file: string,
  state: NamedTensor[],
  partialEpoch?: PartialEpoch,
): Promise<CheckpointFile> {
  const recorded = partialEpoch ? toTensors(partialEpoch) : [];
  const sums = partialEpoch && JSON.stringify([partialEpoch.lossSum, partialEpoch.seconds]);
  await writeSafetensors(file, [...state, ...recorded], sums === undefined ? {} : {[prefix]: sums});
  return {file, sha256: await sha256Of(file)};
}

/** FAILED_PRECONDITION/CHECKPOINT_CORRUPT when the file is not the one that was saved. */
export async function loadCheckpoint({
  file,
  sha256,
}: CheckpointFile): Promise<{state: NamedTensor[]; partialEpoch: PartialEpoch | undefined}> {
  const found = await sha256Of(file).catch((error: Error) => error.message);
  if (found !== sha256)
    throw new FtftError(
      'FAILED_PRECONDITION',
      `Cannot go on from checkpoint ${file}: its SHA-256 must be ${sha256}, it is ${found}; start the run anew`,
      {reason: 'CHECKPOINT_CORRUPT'},
    );
  const tensors = openSafetensors(file);
  const sums = readSafetensorsMetadata(file)[prefix];
  return {
    state: [...tensors.values()].filter(({name}) => !name.startsWith(prefix)),
    partialEpoch: sums === undefined ? undefined : fromTensors(tensors, sums),
  };
}

/** Flags as floats: the file has one type. */
function toTensors({dynamics, visited}: PartialEpoch): NamedTensor[] {
  const {pTrue, isCorrect, logits} = dynamics;
  const values = [pTrue, Float32Array.from(isCorrect), logits, Float32Array.from(visited)];
  return columns.map((column, i) => ({name: prefix + column, shape: [values[i].length], read: () => values[i]}));
}

function fromTensors(tensors: Map<string, NamedTensor>, sums: string): PartialEpoch {
  const [pTrue, isCorrect, logits, visited] = columns.map(column => tensors.get(prefix + column)!.read());
  const [lossSum, seconds] = JSON.parse(sums) as [number, number];
  const dynamics = {pTrue, isCorrect: Uint8Array.from(isCorrect), logits};
  return {dynamics, visited: Uint8Array.from(visited), lossSum, seconds};
}

/** In hex. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
