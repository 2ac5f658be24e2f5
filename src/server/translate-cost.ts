// Costs of runs → messages.
import type {
  CostEstimate,
  CostPart,
  EnergySource as EnergySourceName,
  MethodCost,
  Phase,
  TrainingCost,
} from '../runs/types.js';
import {
  CostEstimate_Source,
  EnergySource,
  MethodCost_Item,
  type PhaseCost,
  PhaseCost_Phase,
  type TrainingCost as WireCost,
  type CostEstimate as WireEstimate,
  type MethodCost as WireMethodCost,
} from './gen/ftft/v1/run.js';
import {toDuration} from './translate-time.js';

const phases: Record<Phase, PhaseCost_Phase> = {
  loading: PhaseCost_Phase.PHASE_LOADING,
  training: PhaseCost_Phase.PHASE_TRAINING,
  dynamics: PhaseCost_Phase.PHASE_DYNAMICS,
  evaluation: PhaseCost_Phase.PHASE_EVALUATION,
  checkpoint: PhaseCost_Phase.PHASE_CHECKPOINT,
};

const energySources: Record<EnergySourceName, EnergySource> = {
  RAPL: EnergySource.ENERGY_SOURCE_RAPL,
  NVML: EnergySource.ENERGY_SOURCE_NVML,
};

export function toCost(cost: TrainingCost): WireCost {
  return {
    acceleratorTime: toDuration(cost.acceleratorMs),
    wallTime: toDuration(cost.wallMs),
    queueTime: toDuration(cost.queueMs),
    trainedInstances: cost.trainedInstances,
    trainedTokens: cost.trainedTokens,
    flops: cost.flops,
    energyJoules: cost.energy?.joules,
    wastedAcceleratorTime: toDuration(cost.wastedAcceleratorMs),
    steps: cost.steps ?? 0,
    trainedRealTokens: cost.trainedRealTokens ?? 0,
    peakMemoryBytes: cost.peakMemoryBytes,
    energySource: cost.energy ? energySources[cost.energy.source] : EnergySource.ENERGY_SOURCE_UNSPECIFIED,
    phases: toPhases(cost.phases),
  };
}

function toPhases(spent: TrainingCost['phases']): PhaseCost[] {
  if (!spent) return [];
  return (Object.keys(phases) as Phase[]).map(name => ({
    phase: phases[name],
    acceleratorTime: toDuration(spent[name].ms),
    flops: spent[name].flops,
  }));
}

const items: Record<CostPart['item'], MethodCost_Item> = {
  reference: MethodCost_Item.ITEM_REFERENCE,
  dynamics: MethodCost_Item.ITEM_DYNAMICS,
  'data-map': MethodCost_Item.ITEM_DATA_MAP,
  main: MethodCost_Item.ITEM_MAIN,
  evaluation: MethodCost_Item.ITEM_EVALUATION,
};

export function toMethodCost(cost: MethodCost | undefined): WireMethodCost | undefined {
  if (!cost) return undefined;
  const {parts, acceleratorMs, flops, erm} = cost;
  return {
    parts: parts.map(part => ({
      item: items[part.item],
      acceleratorTime: toDuration(part.acceleratorMs),
      flops: part.flops,
      percentOfErm: percentOf(part.acceleratorMs, erm?.acceleratorMs),
    })),
    acceleratorTime: toDuration(acceleratorMs),
    flops,
    ermRun: erm?.run === undefined ? '' : `runs/${erm.run}`,
    ermAcceleratorTime: toDuration(erm?.acceleratorMs),
    ermFlops: erm?.flops ?? 0,
    percentOfErm: percentOf(acceleratorMs, erm?.acceleratorMs),
    // Parts that were made elsewhere have operations that are not known either.
    flopsPercentOfErm: acceleratorMs === undefined && erm?.run ? undefined : percentOf(flops, erm?.flops),
  };
}

export function toCostEstimate(estimate: CostEstimate | undefined): WireEstimate | undefined {
  if (!estimate) return undefined;
  const {source, sourceRun, note, acceleratorMs, leastAcceleratorMs, work, methodCost} = estimate;
  const method = toMethodCost(methodCost);
  return {
    source: source ? CostEstimate_Source[`SOURCE_${source}`] : CostEstimate_Source.SOURCE_UNSPECIFIED,
    sourceRun: sourceRun === undefined ? '' : `runs/${sourceRun}`,
    note,
    acceleratorTime: toDuration(acceleratorMs),
    leastAcceleratorTime: toDuration(leastAcceleratorMs),
    steps: work.steps,
    trainedInstances: work.instances,
    trainedTokens: work.tokens,
    trainedRealTokens: work.realTokens,
    flops: work.trainingFlops + work.predictionFlops,
    methodCost: method,
    savingPercent: method?.percentOfErm === undefined ? undefined : 100 - method.percentOfErm,
  };
}

const percentOf = (part: number | undefined, whole: number | undefined): number | undefined =>
  part === undefined || !whole ? undefined : (100 * part) / whole;
