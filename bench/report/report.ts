// The JSON files of the results folder in; RESULTS.md, in which no number is typed by hand, out.
import {type Machine, machineWords} from '../machine.js';
import {quietShare} from '../others-share.js';
import {holds, type Result, type Row} from './results.js';
import {figureWords, markdownTable, noteLines} from './table.js';

const gpuCommand = 'FTFT_DEVICE=gpu npm run bench';

/** `expected`: the benchmarks in the order of the page. */
export function reportPage(results: Result[], expected: readonly string[]): string {
  const sorted = [...results].sort((a, b) => place(a, expected) - place(b, expected));
  const onCpu = sorted.filter(({machine}) => machine.gpu === undefined);
  const onGpu = sorted.filter(({machine}) => machine.gpu !== undefined);
  const missing = expected.filter(name => !onCpu.some(result => result.name === name));
  const parts = [
    '# Results',
    'Made by `npm run bench -- report` from the JSON files in `results/`; what each benchmark times is in README.md. A ratio is the ' +
      "peer's median over ours, so that above 1 ours is faster or smaller, unless its name says otherwise.",
    verdicts(sorted),
    ...(missing.length > 0 ? [`Not measured yet: ${missing.join(', ')}.`] : []),
    ...onCpu.map(section),
    onGpu.length > 0
      ? '# On a GPU'
      : `# On a GPU\n\nNo run on a GPU is kept here. On a machine that has one: \`${gpuCommand}\`.`,
    ...onGpu.map(section),
  ];
  return `${parts.join('\n\n')}\n`;
}

const place = ({name}: Result, expected: readonly string[]): number =>
  expected.includes(name) ? expected.indexOf(name) : expected.length;

/** Which targets hold and which do not. */
export function verdicts(results: Result[]): string {
  const judged = results.flatMap(result => result.rows.map(row => ({result, row})));
  const list = (verdict: boolean) => judged.filter(({row}) => holds(row.figure) === verdict).map(verdictWords);
  const [held, failed] = [list(true), list(false)];
  return [
    `**Targets that hold (${held.length}):** ${held.join('; ') || 'none'}.`,
    `**Targets that do not hold (${failed.length}):** ${failed.join('; ') || 'none'}.`,
  ].join('\n\n');
}

function verdictWords({result, row}: {result: Result; row: Row}): string {
  const where = result.machine.gpu === undefined ? result.name : `${result.name} on a GPU`;
  return `${where}, ${row.what} (${figureWords(row.figure)})`;
}

/** A peer whose threads wait for each other by spinning loses most of its speed to one other program. */
export const othersWords = (share: number): string =>
  share > quietShare
    ? `**The machine was not quiet: others used ${percent(share)} of its processors; these times are worth nothing.**`
    : `Others used ${percent(share)} of the processors meanwhile.`;

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function section({title, command, date, machine, versions, rows, notes, othersShare}: Result): string {
  return [
    `## ${title}`,
    `\`${command}\`, ${date.slice(0, 10)}. ${aboutMachine(machine, versions)} ${othersWords(othersShare)}`,
    ...(rows.length > 0 ? [markdownTable(rows)] : []),
    ...(Object.keys(notes).length > 0
      ? [
          noteLines(notes)
            .map(line => `- ${line}`)
            .join('\n'),
        ]
      : []),
  ].join('\n\n');
}

function aboutMachine(machine: Machine, versions: Record<string, string>): string {
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${[machineWords(machine), ...packages].join(', ')}.`;
}
