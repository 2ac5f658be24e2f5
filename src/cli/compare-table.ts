// Results of a comparison → its tables, the differences that they show, and the file that keeps them.
import {rename, writeFile} from 'node:fs/promises';
import Table from 'cli-table3';
import {meanAndSpread, meanInterval} from '../intervals.js';
import {type MethodCost, MethodCost_Item, PhaseCost_Phase, type Run} from '../server/gen/ftft/v1/run.js';
import {type ArmName, type ArmResult, arms} from './compare-runs.js';
import {count, percent, seconds} from './format.js';

type Splits = {split: string; isOutOfDistribution: boolean}[];

/** One row of the tables: an arm with early stopping or without, all seeds. */
interface Row {
  arm: ArmName;
  isStoppedEarly: boolean;
  results: ArmResult[];
}

export function comparisonText(results: ArmResult[], testSplits: Splits): string {
  const rows = toRows(results);
  const seeds = new Set(results.map(({seed}) => seed)).size;
  return [
    scoreTable(rows, testSplits),
    `Accuracy in %, mean ± sample deviation of ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}; ${sizes(results[0]?.run, testSplits)}.`,
    'Cost: reference, its dynamics, data map, main run and every evaluation, in % of the ERM run of the same seed.',
    '',
    costTable(rows),
    'Seconds of the device, mean of the seeds. Recording the dynamics of the ERM run counts as its training.',
    '',
    ...differences(rows, testSplits),
    ...warnings(results),
    '',
  ].join('\n');
}

/** Whole or not at all. */
export async function writeResults(file: string, results: ArmResult[]): Promise<void> {
  const plain = results.map(({run, ...result}) => ({
    ...result,
    run: run.name,
    steps: run.progress?.steps,
    keptSteps: run.progress?.keptSteps,
    costs: costsOf(run),
    evaluations: run.evaluations,
    warnings: run.warnings,
  }));
  await writeFile(`${file}.partial`, `${JSON.stringify(plain, null, 2)}\n`);
  await rename(`${file}.partial`, file);
}

/** In the order of the arms, first without early stopping. */
export function toRows(results: ArmResult[]): Row[] {
  const rows: Row[] = [];
  for (const isStoppedEarly of [false, true])
    for (const arm of Object.keys(arms) as ArmName[]) {
      const own = results.filter(result => result.arm === arm && result.isStoppedEarly === isStoppedEarly);
      if (own.length > 0) rows.push({arm, isStoppedEarly, results: own});
    }
  return rows;
}

function scoreTable(rows: Row[], splits: Splits): string {
  const table = newTable(['method', 'stopping', 'steps', 'time %', 'FLOP %', ...splits.map(titleOf), 'mean OOD']);
  for (const {arm, isStoppedEarly, results} of rows)
    table.push([
      arms[arm].title,
      isStoppedEarly ? 'early' : '–',
      spreadCell(
        results.map(({run}) => run.progress?.steps ?? 0),
        0,
      ),
      spreadCell(
        results.map(({run}) => costsOf(run).timePercent ?? Number.NaN),
        0,
      ),
      spreadCell(
        results.map(({run}) => costsOf(run).flopsPercent ?? Number.NaN),
        0,
      ),
      ...splits.map(({split}) =>
        spreadCell(
          results.map(({run}) => 100 * accuracyOf(run, [split])),
          1,
        ),
      ),
      spreadCell(
        results.map(({run}) => 100 * accuracyOf(run, outOfDistribution(splits))),
        1,
      ),
    ]);
  return table.toString();
}

function costTable(rows: Row[]): string {
  const parts = ['reference', 'dynamics', 'data map', 'main', 'evaluation'] as const;
  const table = newTable(['method', 'stopping', ...parts, 'sum', '% of ERM']);
  for (const {arm, isStoppedEarly, results} of rows) {
    const costs = results.map(({run}) => costsOf(run));
    const mean = (value: (cost: Costs) => number | undefined) => meanAndSpread(costs.map(c => value(c) ?? 0)).mean;
    table.push([
      arms[arm].title,
      isStoppedEarly ? 'early' : '–',
      ...parts.map(part => mean(cost => cost.seconds[part]).toFixed(1)),
      mean(cost => cost.total).toFixed(1),
      mean(cost => cost.timePercent).toFixed(0),
    ]);
  }
  return table.toString();
}

/** Of each row to ERM without early stopping, seed by seed. */
function differences(rows: Row[], splits: Splits): string[] {
  const erm = rows.find(({arm, isStoppedEarly}) => arm === 'erm' && !isStoppedEarly)?.results ?? [];
  const ood = outOfDistribution(splits);
  const lines = rows.flatMap(({arm, isStoppedEarly, results}) => {
    const values = results.flatMap(({seed, run}) => {
      const other = erm.find(result => result.seed === seed && result.run.name !== run.name)?.run;
      return other ? [accuracyOf(run, ood) - accuracyOf(other, ood)] : [];
    });
    if (values.length < 2) return [];
    const {low, high} = meanInterval(values);
    const verdict = low <= 0 && high >= 0 ? 'zero lies inside it' : 'zero lies outside it';
    const name = `${arms[arm].title}${isStoppedEarly ? ', early' : ''}`.padEnd(16);
    const mean = signed(meanAndSpread(values).mean).padStart(5);
    return [`  ${name} ${mean} points, 95 % interval ${signed(low)} to ${signed(high)}: ${verdict}`];
  });
  if (lines.length === 0) return [];
  return [`Mean accuracy out of distribution against ERM, seed by seed (Student's t over the seeds):`, ...lines];
}

/** Each once, with the runs that were warned. */
function warnings(results: ArmResult[]): string[] {
  const found = results.flatMap(({run}) => run.warnings.map(({message}) => `  ${run.name}: ${message}`));
  return found.length === 0 ? [] : ['', 'Warnings:', ...found];
}

interface Costs {
  seconds: Partial<Record<'reference' | 'dynamics' | 'data map' | 'main' | 'evaluation', number>>;
  total: number | undefined;
  timePercent: number | undefined;
  flopsPercent: number | undefined;
}

const items = {
  [MethodCost_Item.ITEM_REFERENCE]: 'reference',
  [MethodCost_Item.ITEM_DYNAMICS]: 'dynamics',
  [MethodCost_Item.ITEM_DATA_MAP]: 'data map',
  [MethodCost_Item.ITEM_MAIN]: 'main',
  [MethodCost_Item.ITEM_EVALUATION]: 'evaluation',
} as const;

/** Of a run that is no method's main run: it is ERM itself. */
function costsOf({methodCost, cost}: Run): Costs {
  if (methodCost) return ofMethod(methodCost);
  const total = seconds(cost?.acceleratorTime);
  const evaluation = seconds(
    cost?.phases.find(({phase}) => phase === PhaseCost_Phase.PHASE_EVALUATION)?.acceleratorTime,
  );
  return {seconds: {main: total - evaluation, evaluation}, total, timePercent: 100, flopsPercent: 100};
}

function ofMethod({parts, acceleratorTime, percentOfErm, flopsPercentOfErm}: MethodCost): Costs {
  const known = parts.filter(part => part.item in items);
  return {
    seconds: Object.fromEntries(
      known.map(part => [items[part.item as keyof typeof items], seconds(part.acceleratorTime)]),
    ),
    total: acceleratorTime && seconds(acceleratorTime),
    timePercent: percentOfErm,
    flopsPercent: flopsPercentOfErm,
  };
}

/** Mean over the splits. */
function accuracyOf({evaluations}: Run, splits: string[]): number {
  return meanAndSpread(evaluations.filter(({split}) => splits.includes(split)).map(({accuracy}) => accuracy)).mean;
}

const outOfDistribution = (splits: Splits): string[] =>
  splits.filter(({isOutOfDistribution}) => isOutOfDistribution).map(({split}) => split);

function spreadCell(values: number[], digits: number): string {
  const {mean, spread} = meanAndSpread(values);
  if (Number.isNaN(mean)) return '–';
  const shown = digits === 0 ? count(Math.round(mean)) : mean.toFixed(digits);
  return values.length > 1 ? `${shown}\n± ${spread.toFixed(digits)}` : shown;
}

const titleOf = ({split}: {split: string}): string => split.replace(/^(test|ood)_/, '');

function sizes(run: Run | undefined, splits: Splits): string {
  const size = (name: string) => run?.evaluations.find(({split}) => split === name)?.instanceCount ?? 0;
  return splits.map(set => `${titleOf(set)} ${count(size(set.split))} instances`).join(', ');
}

const newTable = (head: string[]) =>
  new Table({
    head,
    style: {head: [], border: [], 'padding-left': 1, 'padding-right': 1},
    colAligns: head.map((_, i) => (i < 2 ? 'left' : 'right')),
  });

const signed = (difference: number): string => `${difference < 0 ? '−' : '+'}${percent(Math.abs(difference))}`;
