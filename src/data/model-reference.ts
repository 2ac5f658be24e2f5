// What a request calls a model (preset, local:FOLDER, owner/name@revision) → the folder that holds it, fetched from the hub when need be.
import {realpath, stat} from 'node:fs/promises';
import {isAbsolute, join, relative, sep} from 'node:path';
import {FtftError, invalidFields} from '../errors.js';
import {type HubOptions, resolveHubModel} from './hub.js';

export interface ModelReferenceOptions extends HubOptions {
  /** Presets and local: folders. */
  modelDir: string;
}

type ModelReference =
  | {kind: 'preset'; folder: string; hubName: string}
  | {kind: 'local'; folder: string}
  | {kind: 'hub'; name: string; revision: string | undefined};

const presets: Record<string, {folder: string; hubName: string}> = {
  'minilm-l6': {folder: 'minilm-l6', hubName: 'sentence-transformers/all-MiniLM-L6-v2'},
};

/**
 * A folder with config.json, tokenizer and weights. INVALID_ARGUMENT/INVALID_FIELD for what is no reference, NOT_FOUND/MODEL_NOT_FOUND,
 * UNAVAILABLE/HUB_UNAVAILABLE when the hub does not answer and the cache does not hold the model.
 */
export async function resolveModel(reference: string, options: ModelReferenceOptions): Promise<string> {
  const parsed = parseModelReference(reference);
  if (parsed.kind === 'local') return localFolder(reference, parsed.folder, options.modelDir);
  if (parsed.kind === 'hub') return resolveHubModel(parsed.name, parsed.revision, options);
  const folder = join(options.modelDir, parsed.folder);
  const isThere = await stat(join(folder, 'config.json')).catch(() => undefined);
  return isThere ? folder : resolveHubModel(parsed.hubName, undefined, options);
}

/** INVALID_ARGUMENT/INVALID_FIELD naming the field `model`. */
export function parseModelReference(reference: string): ModelReference {
  if (Object.hasOwn(presets, reference)) return {kind: 'preset', ...presets[reference]};
  if (reference.startsWith('local:')) return {kind: 'local', folder: reference.slice('local:'.length)};
  const [, name, revision] =
    /^([A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95})(?:@([A-Za-z0-9][\w./-]{0,127}))?$/.exec(reference) ?? [];
  if (name !== undefined && !reference.includes('..') && !revision?.includes('//') && !revision?.endsWith('/'))
    return {kind: 'hub', name, revision};
  throw invalidReference(
    `must be a preset (${Object.keys(presets).join(', ')}), owner/name or owner/name@revision of the hub, or local:FOLDER, ` +
      `current value is ${JSON.stringify(reference.slice(0, 200))}`,
  );
}

async function localFolder(reference: string, folder: string, modelDir: string): Promise<string> {
  if (folder === '' || isAbsolute(folder) || folder.includes('\0') || folder.split(/[/\\]/).includes('..'))
    throw invalidReference(
      `must name a folder inside the model directory, current value is ${JSON.stringify(reference)}`,
    );
  const missing = new FtftError(
    'NOT_FOUND',
    `Cannot find model ${reference}: expected a folder of this name in the server's model directory, FTFT_MODEL_DIR`,
    {reason: 'MODEL_NOT_FOUND', resource: {type: 'Model', name: reference}},
  );
  const root = await realpath(modelDir).catch(() => undefined);
  const found = await realpath(join(modelDir, folder)).catch(() => undefined);
  if (root === undefined || found === undefined || !(await stat(found)).isDirectory()) throw missing;
  const path = relative(root, found);
  // A symbolic link may lead out.
  if (path === '' || path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path)) throw missing;
  return found;
}

function invalidReference(description: string): FtftError {
  return invalidFields('Cannot find the model', [{field: 'model', description}]);
}
