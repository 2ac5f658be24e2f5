// A model folder in the layout of the Hugging Face hub ↔ its config and tensors.
import {readFile, stat, writeFile} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {FtftError} from '../errors.js';
import {explainDiskError, hasCode, writeFolderAtomically} from './atomic-file.js';
import {readTextIfPresent} from './bounded-file.js';
import {parseModelConfig} from './model-config.js';
import {openSafetensors, writeSafetensors} from './safetensors.js';
import type {Checkpoint, NamedTensor} from './types.js';

const maxConfigBytes = 1 << 20;
const maxIndexBytes = 16 << 20;

/** What a tokenizer may consist of; a folder has some of them. */
export const tokenizerFiles = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'vocab.txt'];
/** The names under which weights are looked for, in this order. */
export const weightsFile = 'model.safetensors';
export const weightsIndexFile = 'model.safetensors.index.json';

/**
 * Reads config and headers; values are read when asked for. NOT_FOUND/MODEL_NOT_FOUND without the folder,
 * FAILED_PRECONDITION/MODEL_INVALID for what is missing or broken in it, UNIMPLEMENTED/NOT_SUPPORTED for other model families.
 */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  if (!(await isFolder(folder)))
    throw new FtftError('NOT_FOUND', `Cannot open model ${folder}: there is no such folder`, {
      reason: 'MODEL_NOT_FOUND',
      resource: {type: 'Model', name: folder},
    });
  const configFile = join(folder, 'config.json');
  const text = await readTextIfPresent(configFile, maxConfigBytes);
  if (text === undefined) throw invalid(folder, 'it must hold config.json, which is not there');
  const config = parseModelConfig(configFile, text);
  return {folder, config, tensors: await openWeights(folder)};
}

export interface ModelFolder {
  config: Record<string, unknown>;
  tensors: Iterable<NamedTensor>;
  /** Folder whose tokenizer files are copied along. */
  tokenizerFolder: string;
}

/** Writes a folder that transformers and openCheckpoint load, in place of what was there; whole or not at all. */
export async function saveModelFolder(folder: string, {config, tensors, tokenizerFolder}: ModelFolder): Promise<void> {
  await writeFolderAtomically(folder, async temporary => {
    await writeSafetensors(join(temporary, weightsFile), tensors, {format: 'pt'});
    await writeFile(join(temporary, 'config.json'), `${JSON.stringify(config, undefined, 2)}\n`, {flush: true});
    for (const name of tokenizerFiles) await copyIfPresent(join(tokenizerFolder, name), join(temporary, name));
  });
}

/** Names of the files that a sharded checkpoint's index asks for. */
export async function shardNames(folder: string): Promise<string[]> {
  const indexFile = join(folder, weightsIndexFile);
  const index = (await readTextIfPresent(indexFile, maxIndexBytes)) ?? '';
  return [...new Set(parseWeightMap(indexFile, index).map(([, shard]) => shard))];
}

async function openWeights(folder: string): Promise<Map<string, NamedTensor>> {
  if (await exists(join(folder, weightsFile))) return openSafetensors(join(folder, weightsFile));
  const indexFile = join(folder, weightsIndexFile);
  const index = await readTextIfPresent(indexFile, maxIndexBytes);
  if (index !== undefined) return openShards(folder, parseWeightMap(indexFile, index));
  const found =
    (await exists(join(folder, 'pytorch_model.bin'))) || (await exists(join(folder, 'pytorch_model.bin.index.json')));
  throw invalid(
    folder,
    found
      ? `it must hold ${weightsFile}, found only pytorch_model.bin, which is not read: convert it, for example by ` +
          "model.save_pretrained(folder, safe_serialization=True) in Python's transformers"
      : `it must hold ${weightsFile} or ${weightsIndexFile}, found neither`,
  );
}

/** Tensor name → file name. */
function parseWeightMap(file: string, text: string): [string, string][] {
  let index: unknown;
  try {
    index = JSON.parse(text);
  } catch (error) {
    throw invalid(file, `it must be JSON: ${error instanceof Error ? error.message : error}`);
  }
  const map = (index as {weight_map?: unknown} | null)?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw invalid(file, 'it must hold an object weight_map');
  return Object.entries(map).map(([name, shard]) => {
    if (typeof shard === 'string' && shard.endsWith('.safetensors') && basename(shard) === shard) return [name, shard];
    throw invalid(
      file,
      `weight_map must name .safetensors files beside it, found ${String(JSON.stringify(shard)).slice(0, 80)}`,
    );
  });
}

function openShards(folder: string, weightMap: [string, string][]): Map<string, NamedTensor> {
  const shards = new Map<string, Map<string, NamedTensor>>();
  for (const shard of new Set(weightMap.map(([, shard]) => shard)))
    shards.set(shard, openSafetensors(join(folder, shard)));
  return new Map(
    weightMap.map(([name, shard]) => {
      const tensor = shards.get(shard)?.get(name);
      if (!tensor) throw invalid(join(folder, shard), `it must hold tensor ${name}, as ${weightsIndexFile} says`);
      return [name, tensor];
    }),
  );
}

async function copyIfPresent(from: string, to: string): Promise<void> {
  try {
    await writeFile(to, await readFile(from), {flush: true});
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw explainDiskError(error, to);
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

function invalid(path: string, expected: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot use ${path}: ${expected}`, {reason: 'MODEL_INVALID'});
}
