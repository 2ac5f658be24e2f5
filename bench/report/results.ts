// What a benchmark measured, as rows; each benchmark's rows are one JSON file, and the tables are made from those files alone.
import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Machine} from '../machine.js';
import {median} from '../statistics.js';

export type Unit = 's' | 'bytes';

/** One side of a row. */
export interface Measured {
  name: string;
  unit: Unit;
  median: number;
  least: number;
  /** How many values they are of. */
  count: number;
  /** Work done over the time of all values, where work is counted. */
  rate?: {value: number; of: string};
}

export interface Target {
  bound: 'at least' | 'at most';
  value: number;
  /** Better than what must be reached. */
  aim?: number;
}

/** The number that a row is about. */
export interface Figure {
  name: string;
  value: number;
  /** `times`: a quotient. */
  unit: 'times' | 'percent' | 'MB/s' | Unit;
  target?: Target;
}

export interface Row {
  what: string;
  ours: Measured;
  peer?: Measured;
  figure: Figure;
}

/** By what it is about: what was left out and why, and facts about the work. */
export type Notes = Record<string, string>;

export interface Measurement {
  title: string;
  rows: Row[];
  notes: Notes;
  /** Of the peer's packages, as the peer told them. */
  versions: Record<string, string>;
}

export interface Result extends Measurement {
  name: string;
  /** With which it was made. */
  command: string;
  /** ISO 8601, UTC. */
  date: string;
  machine: Machine;
  /** Of all processors, used by everybody else while it ran. */
  othersShare: number;
}

export function measured(name: string, values: readonly number[], unit: Unit = 's'): Measured {
  return {name, unit, median: median(values), least: Math.min(...values), count: values.length};
}

/** Median over median; above 1 where ours is faster or smaller. */
export function compared(what: string, ours: Measured, peer: Measured, target?: Target): Row {
  return {what, ours, peer, figure: {name: 'peer / ours', value: peer.median / ours.median, unit: 'times', target}};
}

/** Undefined without a target. A figure that is no number holds nothing. */
export function holds({value, target}: Figure): boolean | undefined {
  if (!target) return undefined;
  return target.bound === 'at least' ? value >= target.value : value <= target.value;
}

/** Runs on a GPU are kept beside those on a CPU. */
export const fileName = (name: string, {gpu}: Machine): string => `${name}${gpu === undefined ? '' : '-gpu'}.json`;

export function writeResult(folder: string, result: Result): void {
  mkdirSync(folder, {recursive: true});
  writeFileSync(join(folder, fileName(result.name, result.machine)), `${JSON.stringify(result, undefined, 2)}\n`);
}

export function readResults(folder: string): Result[] {
  return readdirSync(folder)
    .filter(file => file.endsWith('.json'))
    .sort()
    .map(file => JSON.parse(readFileSync(join(folder, file), 'utf8')));
}
