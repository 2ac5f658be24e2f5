// The demo's runs → its one table, what the seconds are made of, and what the differences are worth.
import Table from 'cli-table3';
import {differenceInterval, wilson} from '../intervals.js';
import type {Evaluation, Run} from '../server/gen/ftft/v1/run.js';
import {testSets} from './demo-data.js';
import {count, percent, seconds} from './format.js';

/** A way to get a model: its runs in order, the last of which made the model. */
export interface Arm {
  name: string;
  runs: Run[];
  /** Time of BuildDataMap, where the arm needs the map. */
  mapSeconds?: number;
}

/** An accuracy of fewer instances says next to nothing: it is not shown. */
const leastInstances = 500;

/** The first arm is what the cost of the others is relative to. */
export function comparisonTable(arms: Arm[]): string {
  const table = new Table({
    head: [
      'method',
      'steps',
      'seconds',
      'cost',
      ...testSets.map(set => `${set.title} (${set.isOutOfDistribution ? 'OOD' : 'ID'})`),
    ],
    style: {head: [], border: [], 'padding-left': 1, 'padding-right': 1},
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
  });
  const whole = armSeconds(arms[0]);
  for (const arm of arms)
    table.push([
      arm.name,
      arm.runs.map(run => count(run.progress?.steps ?? 0)).join('\n+ '),
      armSeconds(arm).toFixed(1),
      `${percent(armSeconds(arm) / whole, 0)} %`,
      ...testSets.map(set => accuracyCell(evaluationOf(arm, set.split))),
    ]);
  return table.toString().replace(/^/gm, '  ');
}

function accuracyCell(evaluation: Evaluation | undefined): string {
  if (!evaluation) return 'no\nevaluation';
  const {accuracy, instanceCount} = evaluation;
  if (instanceCount < leastInstances) return `too few:\n${count(instanceCount)}`;
  const {low, high} = wilson(accuracy, instanceCount);
  return `${percent(accuracy)} %\n${percent(low)}–${percent(high)}`;
}

/** What stands in the columns. */
export function tableNotes(arms: Arm[]): string[] {
  const ftft = arms.find(arm => arm.mapSeconds !== undefined);
  const parts = ftft?.runs.map(run => seconds(run.cost?.acceleratorTime).toFixed(1)) ?? [];
  const sizes = testSets.map(set => `${set.title} ${count(evaluationOf(arms[0], set.split)?.instanceCount ?? 0)}`);
  return [
    'Seconds: how long a run held the device, its one evaluation of the four sets at the end included.',
    `FTFT is reference ${parts[0]} + data map ${(ftft?.mapSeconds ?? 0).toFixed(1)} + main ${parts[1]}; the random third is the main run alone.`,
    `Accuracy over its 95 % interval (Wilson). Instances: ${sizes.join(', ')}.`,
  ];
}

/** One line a test set: is the arm's difference to the other more than chance among test instances would give? */
export function differenceLines(arm: Arm, other: Arm): string[] {
  const name = (which: Arm) => which.name.split(',')[0];
  const lines = testSets.map(set => {
    const [a, b] = [evaluationOf(arm, set.split), evaluationOf(other, set.split)];
    const title = `${set.title.padEnd(7)} ${set.isOutOfDistribution ? 'OOD' : 'ID '}`;
    if (!a || !b) return `${title}  was not evaluated`;
    if (Math.min(a.instanceCount, b.instanceCount) < leastInstances)
      return `${title}  fewer than ${leastInstances} test instances: no number is shown`;
    const {low, high} = differenceInterval(a.accuracy, a.instanceCount, b.accuracy, b.instanceCount);
    const isInside = low <= 0 && high >= 0;
    const verdict = isInside ? 'zero lies inside it' : 'zero lies outside it';
    return `${title}  ${signed(a.accuracy - b.accuracy).padStart(5)} points, 95 % interval ${signed(low)} to ${signed(high)}: ${verdict}`;
  });
  return [
    `${name(arm)} against ${name(other)}`,
    ...lines.map(line => `  ${line}`),
    'Where zero lies inside the interval, chance among the test instances may have made the difference.',
    'This is one seed. Seeds differ by several points out of distribution: compare several.',
  ];
}

function signed(difference: number): string {
  return `${difference < 0 ? '−' : '+'}${percent(Math.abs(difference))}`;
}

function armSeconds({runs, mapSeconds = 0}: Arm): number {
  return runs.reduce((sum, run) => sum + seconds(run.cost?.acceleratorTime), mapSeconds);
}

/** Of the model that the arm ends with. */
function evaluationOf(arm: Arm, split: string): Evaluation | undefined {
  return arm.runs.at(-1)?.evaluations.find(evaluation => evaluation.split === split);
}
