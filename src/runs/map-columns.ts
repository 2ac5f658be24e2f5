// A data map and what was selected on it ↔ the bytes of its file, and the digest of its columns.
import {createHash} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import {FtftError} from '../errors.js';
import {columnScore, isColumnMetric} from '../pipeline/instance-scores.js';
import type {DataMap, InstanceMetric, Subset} from '../pipeline/types.js';
import type {Damaged} from './artifacts.js';
import {bytesOf, type Column, decodeColumns, encodedParts, packBits} from './columns.js';
import type {DataMapColumns} from './types.js';

export type MapColumns = Omit<DataMapColumns, 'instanceIds'>;

const metricPrefix = 'metric:';

/** SHA-256, in hex, of the columns that every map has, and of what was selected. */
export function digestOf(map: DataMap, isSelected: Uint8Array): string {
  const {confidence, variability, correctness, forgettingEvents} = map;
  const hash = createHash('sha256');
  for (const column of [confidence, variability, correctness, forgettingEvents, packBits(isSelected)])
    hash.update(bytesOf(column));
  return hash.digest('hex');
}

/** The bytes in parts. */
export function encodeMap(
  map: DataMap,
  {scores = new Float32Array(0)}: Subset,
  isSelected: Uint8Array,
  metrics: readonly InstanceMetric[],
): Uint8Array[] {
  const {confidence, variability, correctness, forgettingEvents} = map;
  const kept = metrics.map((metric): [string, Column] => [
    metricPrefix + metric,
    isColumnMetric(metric) ? columnScore(map, metric) : map.scores[metric]!,
  ]);
  const columns = {confidence, variability, correctness, forgettingEvents, isSelected, scores};
  return encodedParts({}, {...columns, ...Object.fromEntries(kept)});
}

export const damagedMap: Damaged = (file, found) =>
  new FtftError(
    'FAILED_PRECONDITION',
    `Cannot read data map file ${file}: it must be as it was written, but ${found}; build the map anew under another name`,
    {reason: 'DATA_MAP_CORRUPT'},
  );

export async function readMapFile(path: string): Promise<MapColumns> {
  const {columns} = decodeColumns(await readFile(path));
  const metricColumns = Object.entries(columns)
    .filter(([name]) => name.startsWith(metricPrefix))
    .map(([name, values]) => ({
      metric: name.slice(metricPrefix.length) as InstanceMetric,
      values: values as Float32Array,
    }));
  const {confidence, variability, correctness, forgettingEvents, isSelected, scores} = columns;
  return {confidence, variability, correctness, forgettingEvents, isSelected, scores, metricColumns} as MapColumns;
}

/** Indices of the instances that a map selects, ascending. */
export function selectedOf({isSelected}: Pick<MapColumns, 'isSelected'>): Int32Array {
  const instances = new Int32Array(isSelected.length);
  let count = 0;
  for (let i = 0; i < isSelected.length; i++) if (isSelected[i] === 1) instances[count++] = i;
  return instances.slice(0, count);
}
