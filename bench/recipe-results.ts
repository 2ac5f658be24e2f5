// Rows of a recipe's results file: read, appended, told apart by their settings. The Python peer writes the same rows.
import {appendFileSync, existsSync, readFileSync} from 'node:fs';

export const stages = ['erm', 'reference', 'ftft', 'random'] as const;
export type Stage = (typeof stages)[number];

export const testSets = ['movie', 'amazon', 'tweets', 'nyt'] as const;
export type TestSet = (typeof testSets)[number];

/** What has to be equal for two rows to be of one measurement. */
export interface RecipeSettings {
  /** Training instances. */
  train: number;
  epochs: number;
  /** Of the reference model. */
  layers: number;
  /** Start of the SHA-256 of the five data files, one after the other. */
  data: string;
}

export interface RecipeRow extends RecipeSettings {
  stage: Stage;
  seed: number;
  precision: 'bf16' | 'fp32';
  steps: number;
  /** Trained instances. */
  instances: number;
  /** Of training alone. */
  seconds: number;
  /** [0, 1]. */
  accuracy: Record<TestSet, number>;
  /** Of stages over all the data: the share that is neither ambiguous nor hard-to-learn. */
  easy?: number;
  /** Of stages over all the data: bit column in base64, least significant bit first. */
  ambiguous?: string;
  machine: Record<string, string | number>;
}

/** Rows of the file that were made with these settings; none when there is no file. */
export function readRows(file: string, settings: RecipeSettings): RecipeRow[] {
  if (!existsSync(file)) return [];
  const rows: RecipeRow[] = readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line));
  return rows.filter(row => settingsKeys.every(key => row[key] === settings[key]));
}

const settingsKeys = ['train', 'epochs', 'layers', 'data'] as const;

export const appendRow = (file: string, row: RecipeRow): void => appendFileSync(file, `${JSON.stringify(row)}\n`);

export function toBits(instances: Int32Array, count: number): string {
  const bytes = Buffer.alloc(Math.ceil(count / 8));
  for (const i of instances) bytes[i >> 3] |= 1 << (i & 7);
  return bytes.toString('base64');
}

export function fromBits(column: string): Int32Array {
  const bytes = Buffer.from(column, 'base64');
  return Int32Array.from({length: 8 * bytes.length}, (_, i) => i).filter(i => (bytes[i >> 3] >> (i & 7)) & 1);
}
