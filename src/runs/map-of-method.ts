// A data map and a method in; the map that selects what the method does, and what a main run on a map is warned of from the start, out.
import {FtftError} from '../errors.js';
import {type Method, selectionOf} from '../pipeline/methods.js';
import type {DataMapCreation} from './api.js';
import type {DataMapRecord, RunRecord, RunWarning} from './types.js';

interface MainModel {
  model: string;
  /** In use; 0 for all of the checkpoint's. */
  layers: number;
  allLayers: number;
  seed: number;
}

/**
 * By the same run, epochs, estimator, share and rule; undefined where the map given selects that already. reference: the run of the map.
 * FAILED_PRECONDITION/REFERENCE_DOES_NOT_FIT where the method is of another reference than the map.
 */
export function mapOfMethod(
  what: string,
  method: Exclude<Method, 'erm'>,
  given: DataMapRecord,
  reference: RunRecord | undefined,
  main: MainModel,
): Omit<DataMapCreation, 'validateOnly'> | undefined {
  checkReference(what, method, given, reference, main);
  const {run, epochs, variabilityEstimator} = given;
  const wanted = selectionOf(method, given.selection);
  const selection = method === 'random' ? {...wanted, seed: main.seed} : wanted;
  if (JSON.stringify(selection) === JSON.stringify(given.selection)) return undefined;
  return {run, epochs, variabilityEstimator, selection};
}

function checkReference(
  what: string,
  method: Method,
  {id}: DataMapRecord,
  reference: RunRecord | undefined,
  {model, layers, allLayers}: MainModel,
): void {
  if (!reference || (method !== 'data-map' && method !== 'ftft')) return;
  const {spec} = reference;
  const isItself = spec.model === model && (spec.layers || allLayers) === (layers || allLayers);
  if (isItself === (method === 'data-map')) return;
  const named = (name: string, depth: number) => (depth === 0 ? name : `${name}, first ${depth} layers`);
  const main = named(model, layers);
  const found = `runs/${reference.id}, the reference of dataMaps/${id}, is of ${named(spec.model, spec.layers)}`;
  throw new FtftError(
    'FAILED_PRECONDITION',
    method === 'data-map'
      ? `${what}: METHOD_DATA_MAP needs the map of a reference that is the main model itself, ${main}; ${found}. METHOD_FTFT takes any other`
      : `${what}: METHOD_FTFT needs the map of a reference that is another model than the main model, ${main}; ${found}. METHOD_DATA_MAP takes this one`,
    {reason: 'REFERENCE_DOES_NOT_FIT', resource: {type: 'DataMap', name: `dataMaps/${id}`}},
  );
}

/** What the map says of its reference, where the selection depends on one. */
export function mapWarnings({selection, instanceCount, diagnostics}: DataMapRecord): RunWarning[] {
  const {criterion, fraction, count} = selection;
  if ('region' in criterion && criterion.region === 'random') return [];
  const warnings: RunWarning[] = [];
  const {easyRatio, verdict, verdictReason} = diagnostics;
  if (verdict === 'ineffective')
    warnings.push({
      code: 'REFERENCE_INEFFECTIVE',
      message: `The reference is not likely to help: ${verdictReason}`,
      steps: 0,
    });
  const share = count === undefined ? fraction : count / instanceCount;
  const byChance = (1 - share) ** 2;
  if (verdict !== 'undecided' && easyRatio < byChance)
    warnings.push({
      code: 'FEW_EASY_INSTANCES',
      message: `Few instances are easy: ${percent(easyRatio)} are neither ambiguous nor hard-to-learn, where two unrelated regions would leave ${percent(byChance)}; a weak reference calls easy instances ambiguous`,
      steps: 0,
    });
  return warnings;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
