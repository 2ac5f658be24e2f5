// A run's model as it was accepted, maybe on another machine, in; the folder in which this machine has the same out.
import {stat} from 'node:fs/promises';
import {join} from 'node:path';
import {type ModelReferenceOptions, resolveModel} from '../data/model-reference.js';
import type {StoredRun} from './store.js';

/** A model of the hub is in a folder whose name is its commit. */
const hubSnapshot = /[/\\]models--([^/\\]+)--([^/\\]+)[/\\]snapshots[/\\]([0-9a-f]{40})$/;

/** Fetched from the hub, at the commit that was accepted, where it is not here yet. Errors as resolveModel's. */
export async function runModel(
  {run, work}: Pick<StoredRun, 'run' | 'work'>,
  options: ModelReferenceOptions,
): Promise<string> {
  const isHere = await stat(join(work.modelFolder, 'config.json')).catch(() => undefined);
  if (isHere) return work.modelFolder;
  const [, owner, name, commit] = hubSnapshot.exec(work.modelFolder) ?? [];
  return await resolveModel(commit === undefined ? run.spec.model : `${owner}/${name}@${commit}`, options);
}
