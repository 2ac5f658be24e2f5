// Costs, measured or expected → the lines that a person reads.
import {
  type CostEstimate,
  type MethodCost,
  MethodCost_Item,
  type PhaseCost,
  PhaseCost_Phase,
  type TrainingCost,
} from '../server/gen/ftft/v1/run.js';
import {clock, count, seconds} from './format.js';

const phaseWords: Partial<Record<PhaseCost_Phase, string>> = {
  [PhaseCost_Phase.PHASE_LOADING]: 'loading',
  [PhaseCost_Phase.PHASE_TRAINING]: 'training',
  [PhaseCost_Phase.PHASE_DYNAMICS]: 'dynamics',
  [PhaseCost_Phase.PHASE_EVALUATION]: 'evaluation',
  [PhaseCost_Phase.PHASE_CHECKPOINT]: 'checkpoints',
};

const itemWords: Partial<Record<MethodCost_Item, string>> = {
  [MethodCost_Item.ITEM_REFERENCE]: 'reference',
  [MethodCost_Item.ITEM_DYNAMICS]: 'dynamics',
  [MethodCost_Item.ITEM_DATA_MAP]: 'data map',
  [MethodCost_Item.ITEM_MAIN]: 'main model',
  [MethodCost_Item.ITEM_EVALUATION]: 'evaluation',
};

/** One line of what went where, and one of what was used. */
export function costLines(cost: TrainingCost): string[] {
  const used = [
    `${count(cost.steps)} steps`,
    `${count(cost.trainedRealTokens)} tokens`,
    `${tera(cost.flops)} TFLOP`,
    ...(cost.peakMemoryBytes === undefined ? [] : [`${(cost.peakMemoryBytes / 2 ** 30).toFixed(2)} GiB`]),
    ...(cost.energyJoules === undefined ? [] : [`${count(Math.round(cost.energyJoules))} J`]),
  ];
  return [...phaseLine(cost.phases), ...(cost.steps > 0 ? [`used    ${used.join(', ')}`] : [])];
}

function phaseLine(phases: PhaseCost[]): string[] {
  if (phases.length === 0) return [];
  const parts = phases.map(
    ({phase, acceleratorTime}) => `${phaseWords[phase] ?? 'other'} ${shortTime(seconds(acceleratorTime))}`,
  );
  return [`cost    ${parts.join(', ')}`];
}

/** What the method has cost, or is expected to, beside ERM. */
export function methodLines(cost: MethodCost): string[] {
  const parts = cost.parts.map(({item, acceleratorTime}) => {
    const time = acceleratorTime ? shortTime(seconds(acceleratorTime)) : 'not known';
    return `${itemWords[item] ?? 'other'} ${time}`;
  });
  const total = cost.acceleratorTime ? ` = ${shortTime(seconds(cost.acceleratorTime))}` : '';
  return [`method  ${parts.join(' + ')}${total}`, ...ermLine(cost)];
}

function ermLine({percentOfErm, flopsPercentOfErm, ermAcceleratorTime, ermRun}: MethodCost): string[] {
  const shares = [
    ...(percentOfErm === undefined ? [] : [`${percentOfErm.toFixed(0)} % of its time`]),
    ...(flopsPercentOfErm === undefined ? [] : [`${flopsPercentOfErm.toFixed(0)} % of its operations`]),
  ];
  if (shares.length === 0) return [];
  const time = ermAcceleratorTime ? `, ${shortTime(seconds(ermAcceleratorTime))}` : '';
  return [`ERM     ${shares.join(', ')} (${ermRun || 'as estimated'}${time})`];
}

/** What a run is expected to cost. */
export function estimateLines(estimate: CostEstimate): string[] {
  const {acceleratorTime, leastAcceleratorTime, steps, trainedRealTokens, flops, methodCost, savingPercent} = estimate;
  const least = leastAcceleratorTime ? `, at least ${shortTime(seconds(leastAcceleratorTime))}` : '';
  const time = acceleratorTime ? `about ${shortTime(seconds(acceleratorTime))}${least}` : 'not known';
  return [
    `time    ${time}: ${count(steps)} steps, ${count(trainedRealTokens)} tokens, ${tera(flops)} TFLOP`,
    ...(methodCost ? methodLines(methodCost) : []),
    ...(savingPercent === undefined ? [] : [`saving  ${savingPercent.toFixed(0)} % of the time of ERM`]),
    `source  ${estimate.note}`,
  ];
}

/** Tenths below a minute. */
export const shortTime = (value: number): string => (value < 60 ? `${value.toFixed(1)} s` : clock(value));

const tera = (flops: number): string => (flops / 1e12).toFixed(flops < 1e13 ? 2 : 0);
