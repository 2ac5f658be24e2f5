// Rows in; the cells of their table as words, and that table for a terminal or as Markdown, out.
import Table from 'cli-table3';
import {type Figure, holds, type Measured, type Notes, type Row, type Target, type Unit} from './results.js';

const head = ['what', 'ours: median / least', 'against: median / least', 'figure', 'target', 'holds'];

export function cells({what, ours, peer, figure}: Row): string[] {
  const verdict = holds(figure);
  return [
    what,
    sideWords(ours),
    peer ? sideWords(peer) : '–',
    `${figure.name} ${figureWords(figure)}`,
    figure.target ? targetWords(figure.target, figure.unit) : '–',
    verdict === undefined ? '–' : verdict ? 'yes' : 'NO',
  ];
}

export function terminalTable(rows: Row[]): string {
  const table = new Table({head, style: {head: [], border: []}});
  table.push(...rows.map(cells));
  return table.toString();
}

/** Columns as wide as their widest cell, as the formatter wants them. */
export function markdownTable(rows: Row[]): string {
  const lines = [head, ...rows.map(cells)].map(values => values.map(value => value.replaceAll('|', '\\|')));
  const widths = head.map((_, column) => Math.max(...lines.map(values => values[column].length)));
  const line = (values: string[], fill = ' ') =>
    `| ${values.map((value, column) => value.padEnd(widths[column], fill)).join(' | ')} |`;
  const [first, ...others] = lines;
  return [
    line(first),
    line(
      head.map(() => ''),
      '-',
    ),
    ...others.map(values => line(values)),
  ].join('\n');
}

export const noteLines = (notes: Notes): string[] =>
  Object.entries(notes).map(([about, words]) => `${about}: ${words}`);

export function figureWords({value, unit}: Pick<Figure, 'value' | 'unit'>): string {
  if (unit === 'times') return value.toFixed(value < 1 ? 3 : 2);
  if (unit === 'MB/s') return `${value.toFixed(0)} MB/s`;
  if (unit === 'percent') return `${value.toFixed(2)} %`;
  return quantity(value, unit);
}

export function quantity(value: number, unit: Unit): string {
  const steps: Record<Unit, [least: number, name: string][]> = {
    s: [
      [1, 's'],
      [1e-3, 'ms'],
      [0, 'µs'],
    ],
    bytes: [
      [1e9, 'GB'],
      [0, 'MB'],
    ],
  };
  const sizes = {s: 1, ms: 1e-3, µs: 1e-6, GB: 1e9, MB: 1e6} as Record<string, number>;
  const [, name] = steps[unit].find(([least]) => Math.abs(value) >= least) ?? steps[unit][steps[unit].length - 1];
  const number = value / sizes[name];
  return `${number.toFixed(Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2)} ${name}`;
}

function sideWords({name, unit, median, least, count, rate}: Measured): string {
  const values = count > 1 ? `${quantity(median, unit)} / ${quantity(least, unit)}` : quantity(median, unit);
  return `${name}: ${values}${rate ? `, ${rate.value.toFixed(rate.value < 100 ? 1 : 0)} ${rate.of}/s` : ''}`;
}

const symbols = {times: '', percent: ' %', s: ' s', 'MB/s': ' MB/s'};

function targetWords({bound, value, aim}: Target, unit: Figure['unit']): string {
  const words = (number: number) => (unit === 'bytes' ? quantity(number, unit) : `${number}${symbols[unit]}`);
  return `${bound} ${words(value)}${aim === undefined ? '' : `, aim ${words(aim)}`}`;
}
