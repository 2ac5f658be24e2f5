// A benchmark's measurement in; its table printed and its JSON written, with the facts of the run. The page of results is made from those.
import {writeFileSync} from 'node:fs';
import {machine} from './machine.js';
import {othersShare, processorTimes} from './others-share.js';
import {othersWords, reportPage} from './report/report.js';
import {type Measurement, readResults, writeResult} from './report/results.js';
import {noteLines, terminalTable} from './report/table.js';

/** Names under which results are kept, in the order of the page. */
export const resultNames = [
  'train-steps',
  'train-electra',
  'train-deberta',
  'train-deberta-256',
  'train-instances',
  'train-peer',
  'memory',
  'overhead',
  'dynamics',
  'leak',
  'trace',
  'evaluate',
  'evaluate-real',
  'data-map',
  'data-map-large',
  'tokenize',
  'latency',
  'cost',
  'service',
  'service-stalled',
  'subscribers',
] as const;

export async function keep(
  name: (typeof resultNames)[number],
  folder: string,
  measure: () => Promise<Measurement>,
): Promise<void> {
  const command = commandLine(process.argv.slice(2));
  const before = processorTimes();
  const measurement = await measure();
  const others = othersShare(before, processorTimes());
  console.log(`\n${measurement.title}`);
  if (measurement.rows.length > 0) console.log(terminalTable(measurement.rows));
  for (const line of noteLines(measurement.notes)) console.log(line);
  console.log(othersWords(others));
  // Nothing measured is no result.
  if (measurement.rows.length === 0) return;
  const date = new Date().toISOString();
  writeResult(folder, {name, command, date, machine: machine(), othersShare: others, ...measurement});
}

export function writePage(folder: string, file: string): void {
  writeFileSync(file, reportPage(readResults(folder), resultNames));
  console.log(`Wrote ${file}`);
}

/** As it can be repeated by anyone: where the results went is nobody else's. */
export function commandLine(words: readonly string[]): string {
  const kept = words.filter((word, i) => !word.startsWith('--results') && words[i - 1] !== '--results');
  return ['npm run bench', ...(kept.length > 0 ? ['--', ...kept] : [])].join(' ');
}
