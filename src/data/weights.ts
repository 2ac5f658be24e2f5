// A model folder's weights, in any of the four layouts that the hub has → named tensors.
import {stat} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {FtftError} from '../errors.js';
import {readTextIfPresent} from './bounded-file.js';
import {openSafetensors} from './safetensors.js';
import {openTorchCheckpoint} from './torch-checkpoint.js';
import type {NamedTensor} from './types.js';

/** The layout that we write. */
export const safetensorsFile = 'model.safetensors';
const indexEnding = '.index.json';
const torchEnding = '.bin';
/** Where weights are looked for; of several the first counts, as in transformers. An index names the shards, which hold the tensors. */
export const weightsFiles = [
  safetensorsFile,
  `${safetensorsFile}${indexEnding}`,
  'pytorch_model.bin',
  `pytorch_model.bin${indexEnding}`,
] as const;

const maxIndexBytes = 16 << 20;

/** FAILED_PRECONDITION/MODEL_INVALID when there are none, or when they are not whole. */
export async function openWeights(folder: string): Promise<Map<string, NamedTensor>> {
  const name = await findWeights(folder);
  if (name === undefined) throw invalid(folder, `it must hold ${weightsFiles.join(' or ')}, found none of them`);
  if (!isIndex(name)) return openFile(join(folder, name));
  const weightMap = await readWeightMap(folder, name);
  const shards = new Map<string, Map<string, NamedTensor>>();
  for (const [, shard] of weightMap) if (!shards.has(shard)) shards.set(shard, openFile(join(folder, shard)));
  return new Map(
    weightMap.map(([tensorName, shard]) => {
      const tensor = shards.get(shard)?.get(tensorName);
      if (!tensor) throw invalid(join(folder, shard), `it must hold tensor ${tensorName}, as ${name} says`);
      return [tensorName, tensor];
    }),
  );
}

/** The first of weightsFiles that the folder holds. */
export async function findWeights(folder: string): Promise<string | undefined> {
  for (const name of weightsFiles) if (await stat(join(folder, name)).catch(() => undefined)) return name;
  return undefined;
}

export function isIndex(name: string): boolean {
  return name.endsWith(indexEnding);
}

/** The files that an index of the folder asks for; none for weights that are one file. */
export async function shardNames(folder: string, name: string): Promise<string[]> {
  if (!isIndex(name)) return [];
  return [...new Set((await readWeightMap(folder, name)).map(([, shard]) => shard))];
}

function openFile(path: string): Map<string, NamedTensor> {
  return path.endsWith(torchEnding) ? openTorchCheckpoint(path) : openSafetensors(path);
}

/** Tensor name → file name. */
async function readWeightMap(folder: string, name: string): Promise<[string, string][]> {
  const file = join(folder, name);
  const text = (await readTextIfPresent(file, maxIndexBytes)) ?? '';
  let index: unknown;
  try {
    index = JSON.parse(text);
  } catch (error) {
    throw invalid(file, `it must be JSON: ${error instanceof Error ? error.message : error}`);
  }
  const map = (index as {weight_map?: unknown} | null)?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw invalid(file, 'it must hold an object weight_map');
  const ending = name.startsWith(safetensorsFile) ? '.safetensors' : torchEnding;
  return Object.entries(map).map(([tensorName, shard]) => {
    if (typeof shard === 'string' && shard.endsWith(ending) && basename(shard) === shard) return [tensorName, shard];
    const found = String(JSON.stringify(shard)).slice(0, 80);
    throw invalid(file, `weight_map must name ${ending} files beside it, found ${found}`);
  });
}

function invalid(path: string, expected: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot use ${path}: ${expected}`, {reason: 'MODEL_INVALID'});
}
