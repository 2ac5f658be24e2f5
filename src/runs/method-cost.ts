// A main run, its reference, its map and an ERM run in; what the model has cost with everything that it needed, part by part, out.
import type {CostPart, MethodCost, RunRecord, TrainingCost} from './types.js';

/** Of a run that was made or is only planned: the whole, and the evaluations in it. */
export type RunCost = Pick<TrainingCost, 'flops' | 'phases'> & {
  /** Undefined where no rate is known. */
  acceleratorMs: number | undefined;
};

export interface MethodNeeds {
  main: RunCost;
  /** Undefined for a method that needs none; cost: undefined where it was trained elsewhere. */
  reference?: {cost: RunCost | undefined; mapMs: number | undefined};
  erm?: {run?: string; cost: RunCost};
}

export function methodCost({main, reference, erm}: MethodNeeds): MethodCost {
  const parts: CostPart[] = [];
  if (reference) {
    const {cost, mapMs} = reference;
    parts.push({item: 'reference', ...rest(cost, 'evaluation', 'dynamics')});
    parts.push({item: 'dynamics', acceleratorMs: cost?.phases?.dynamics.ms ?? (cost ? 0 : undefined), flops: 0});
    parts.push({item: 'data-map', acceleratorMs: mapMs, flops: 0});
  }
  const evaluations = [main, ...(reference?.cost ? [reference.cost] : [])].map(({phases}) => phases?.evaluation);
  parts.push({item: 'main', ...rest(main, 'evaluation')});
  parts.push({
    item: 'evaluation',
    acceleratorMs: evaluations.reduce((sum, part) => sum + (part?.ms ?? 0), 0),
    flops: evaluations.reduce((sum, part) => sum + (part?.flops ?? 0), 0),
  });
  const times = parts.map(({acceleratorMs}) => acceleratorMs);
  return {
    parts,
    acceleratorMs: times.every(ms => ms !== undefined) ? times.reduce((sum, ms) => sum + ms, 0) : undefined,
    flops: parts.reduce((sum, {flops}) => sum + flops, 0),
    ...(erm && {erm: {...(erm.run && {run: erm.run}), acceleratorMs: erm.cost.acceleratorMs, flops: erm.cost.flops}}),
  };
}

/** A random share needs no reference, and ERM needs no map at all. */
export const needsReference = ({dataMap, selection}: Pick<RunRecord, 'dataMap' | 'selection'>): boolean =>
  dataMap !== undefined && !(selection && 'region' in selection.criterion && selection.criterion.region === 'random');

/** A run without some of its phases. */
function rest(cost: RunCost | undefined, ...phases: ('evaluation' | 'dynamics')[]): Omit<CostPart, 'item'> {
  if (!cost) return {acceleratorMs: undefined, flops: 0};
  const without = (key: 'ms' | 'flops') => phases.reduce((sum, name) => sum + (cost.phases?.[name][key] ?? 0), 0);
  const {acceleratorMs, flops} = cost;
  return {
    acceleratorMs: acceleratorMs === undefined ? undefined : acceleratorMs - without('ms'),
    flops: flops - without('flops'),
  };
}
