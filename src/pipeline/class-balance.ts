// A data map, its labels and a selection in; the same selection made class by class out, and how labels shift by a selection.
import {requestedCount} from './select-highest.js';
import type {SelectionInput} from './select-subset.js';
import {equalBudgets} from './stratified-sampling.js';
import type {ClassBalance, DataMap, Selection, Subset} from './types.js';

/** One number a class. */
export interface ClassCounts {
  selected: number[];
  all: number[];
}

type Select = (map: DataMap, selection: Selection, input: SelectionInput) => Subset;

/** Selects in each class by itself: its share of the class, or its part of a number that is shared out equally. */
export function selectBalanced(
  map: DataMap,
  selection: Selection & {classBalance: Exclude<ClassBalance, 'none'>},
  {labels, clusters}: SelectionInput & {labels: ArrayLike<number>},
  select: Select,
): Subset {
  const members = byClass(labels);
  const sizes = members.map(({length}) => length);
  const requested = requestedCount(selection, map.numInstances);
  const budgets = selection.classBalance === 'equal' ? equalBudgets(sizes, requested) : undefined;
  const parts = members.map((instances, label) => {
    const size = budgets ? {count: budgets[label]} : {count: undefined, fraction: requestedShare(selection, map)};
    const part = select(
      mapOf(map, instances),
      {...selection, ...size},
      {clusters: clusters && gathered(clusters, instances)},
    );
    return {...part, instances: part.instances.map(at => instances[at])};
  });
  return {
    instances: joined(parts.map(({instances}) => instances)).sort(),
    requestedCount: requested,
    threshold: undefined,
    thresholdTieCount: parts.reduce((sum, {thresholdTieCount}) => sum + thresholdTieCount, 0),
    doTiesDecide: parts.some(({doTiesDecide}) => doTiesDecide),
    scores: undefined,
  };
}

function joined(parts: Int32Array[]): Int32Array {
  const whole = new Int32Array(parts.reduce((sum, {length}) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const requestedShare = ({fraction, count}: Selection, {numInstances}: DataMap): number =>
  count === undefined ? fraction : Math.min(1, count / numInstances);

/** Instances of each class, ascending. */
function byClass(labels: ArrayLike<number>): Int32Array[] {
  const sizes: number[] = [];
  for (let i = 0; i < labels.length; i++) sizes[labels[i]] = (sizes[labels[i]] ?? 0) + 1;
  const members = Array.from(sizes, (size = 0) => new Int32Array(size));
  const filled = members.map(() => 0);
  for (let i = 0; i < labels.length; i++) members[labels[i]][filled[labels[i]]++] = i;
  return members;
}

/** The map of some instances. */
function mapOf(map: DataMap, instances: Int32Array): DataMap {
  const scores = Object.entries(map.scores).map(([metric, values]) => [
    metric,
    gathered(values, instances, map.numInstances),
  ]);
  return {
    ...map,
    numInstances: instances.length,
    confidence: gathered(map.confidence, instances),
    variability: gathered(map.variability, instances),
    correctness: gathered(map.correctness, instances),
    forgettingEvents: gathered(map.forgettingEvents, instances),
    isWrongAtLast: gathered(map.isWrongAtLast, instances),
    scores: Object.fromEntries(scores),
  };
}

type Column = Float32Array | Int32Array | Uint32Array | Uint8Array;

/** Rows of a column at these places; a row has as many values as the column has for each of numRows. */
function gathered<C extends Column>(column: C, places: Int32Array, numRows = column.length): C {
  const width = column.length / numRows;
  const rows = new (column.constructor as new (length: number) => C)(places.length * width);
  places.forEach((place, at) => {
    for (let e = 0; e < width; e++) rows[at * width + e] = column[place * width + e];
  });
  return rows;
}

/** Instances of label -1, which is not known, are in no class. */
export function countClasses(labels: ArrayLike<number>, selected: Int32Array, numClasses: number): ClassCounts {
  const [all, chosen] = [new Array<number>(numClasses).fill(0), new Array<number>(numClasses).fill(0)];
  for (let i = 0; i < labels.length; i++) if (labels[i] >= 0) all[labels[i]]++;
  for (let at = 0; at < selected.length; at++) if (labels[selected[at]] >= 0) chosen[labels[selected[at]]]++;
  return {all, selected: chosen};
}

/** Total variation distance of the two distributions of classes: 0 where they are the same, 1 where no class is in both. */
export function labelShift({selected, all}: ClassCounts): number {
  const [numSelected, numAll] = [selected, all].map(counts => counts.reduce((sum, count) => sum + count, 0));
  if (numSelected === 0 || numAll === 0) return 0;
  return selected.reduce((sum, count, label) => sum + Math.abs(count / numSelected - all[label] / numAll), 0) / 2;
}
