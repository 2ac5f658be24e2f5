// A model folder in the layout of the Hugging Face hub ↔ its config and tensors.
import {mkdir, readFile, stat, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {FtftError} from '../errors.js';
import {explainDiskError, hasCode, writeFolderAtomically} from './atomic-file.js';
import {readTextIfPresent} from './bounded-file.js';
import {parseModelConfig} from './model-config.js';
import {writeSafetensors} from './safetensors.js';
import type {Checkpoint, NamedTensor} from './types.js';
import {openWeights, safetensorsFile} from './weights.js';

const maxConfigBytes = 1 << 20;

/** Any of them is enough for a tokenizer. */
export const vocabularyFiles = ['tokenizer.json', 'vocab.txt', 'vocab.json', 'spm.model'];
/** What a tokenizer may consist of; a folder has some of them. */
export const tokenizerFiles = [
  ...vocabularyFiles,
  'merges.txt',
  'added_tokens.json',
  'special_tokens_map.json',
  'tokenizer_config.json',
];

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
    await writeSafetensors(join(temporary, safetensorsFile), tensors, {format: 'pt'});
    await writeFile(join(temporary, 'config.json'), `${JSON.stringify(config, undefined, 2)}\n`, {flush: true});
    await copyTokenizer(tokenizerFolder, temporary);
  });
}

/** Whatever there is of a tokenizer's files, and of others that are named. */
export async function copyTokenizer(from: string, to: string, others: readonly string[] = []): Promise<void> {
  await mkdir(to, {recursive: true});
  for (const name of [...tokenizerFiles, ...others]) await copyIfPresent(join(from, name), join(to, name));
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

function invalid(path: string, expected: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot use ${path}: ${expected}`, {reason: 'MODEL_INVALID'});
}
