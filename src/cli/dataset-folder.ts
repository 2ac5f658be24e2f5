// A folder in the layout of the Hugging Face hub (README.md that says which files are which split, or names that do) → its splits.
import {readdir, readFile, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {parse} from 'yaml';
import {formatOfName} from './import-file.js';
import {wrongUsage} from './report-error.js';

export interface FolderSplit {
  /** As the hub names it. */
  name: string;
  /** Below the folder, in the order of their names. */
  files: string[];
}

export interface DatasetFolder {
  splits: FolderSplit[];
  /** Of each column that holds class indices, in their order. */
  classNames: Map<string, string[]>;
}

const maxDepth = 5;
const maxFiles = 100_000;
const maxReadmeBytes = 1 << 22;

/** Names that stand for a split, as the hub knows them. */
const keywords: Record<string, string[]> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'dev', 'val'],
  test: ['test', 'testing', 'eval', 'evaluation'],
};
const shard = /(?:^|\/)([\w.]+?)-\d{5}-of-\d{5}\.[\w.]+$/;

/** config: one of several that README.md names. */
export async function readDatasetFolder(folder: string, config?: string): Promise<DatasetFolder> {
  const files = (await filesBelow(folder)).filter(file => formatOfName(file) !== undefined);
  const card = files.length === 0 ? {} : await readCard(folder);
  const chosen = chooseConfig(card, config, folder);
  const splits = chosen ? configured(chosen, files) : named(files);
  if (splits.length === 0)
    throw wrongUsage(`Cannot import ${folder}: expected JSONL, CSV, TSV or Parquet files in it, found none`);
  return {splits, classNames: classNames(card, chosen?.config_name)};
}

/** Paths below the folder, sorted; hidden ones apart. */
export async function filesBelow(folder: string): Promise<string[]> {
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) throw wrongUsage(`Cannot import ${folder}: it must be a folder`);
  const files: string[] = [];
  async function visit(path: string, depth: number): Promise<void> {
    for (const name of (await readdir(join(folder, path))).sort()) {
      if (name.startsWith('.')) continue;
      const inner = path === '' ? name : `${path}/${name}`;
      // The hub's cache holds links.
      const entry = await stat(join(folder, inner)).catch(() => undefined);
      if (entry?.isDirectory() && depth < maxDepth) await visit(inner, depth + 1);
      else if (entry?.isFile()) files.push(inner);
      if (files.length > maxFiles) throw wrongUsage(`Cannot import ${folder}: it holds more than ${maxFiles} files`);
    }
  }
  await visit('', 1);
  return files;
}

interface Card {
  configs?: unknown;
  dataset_info?: unknown;
}

interface Config {
  config_name: string;
  data_files: unknown;
  default?: unknown;
}

/** The YAML between the first two lines of dashes of README.md. */
async function readCard(folder: string): Promise<Card> {
  const path = join(folder, 'README.md');
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) return {};
  if (found.size > maxReadmeBytes)
    throw wrongUsage(`Cannot read ${path}: it must have at most ${maxReadmeBytes} bytes`);
  const [, front] = /^\ufeff?---\r?\n([\s\S]*?)\r?\n---\s*(?:\r?\n|$)/.exec(await readFile(path, 'utf8')) ?? [];
  if (front === undefined) return {};
  try {
    const card: unknown = parse(front, {maxAliasCount: 100});
    return isObject(card) ? card : {};
  } catch (error) {
    throw wrongUsage(`Cannot read ${path}: its head must be YAML (${(error as Error).message.split('\n')[0]})`);
  }
}

function chooseConfig({configs}: Card, wanted: string | undefined, folder: string): Config | undefined {
  const all = (Array.isArray(configs) ? configs : []).filter(isConfig);
  const names = all.map(({config_name}) => config_name);
  if (wanted !== undefined) {
    const found = all.find(({config_name}) => config_name === wanted);
    if (found) return found;
    throw wrongUsage(`Cannot import ${folder}: --config must be one of ${names.join(', ') || 'none'}, it is ${wanted}`);
  }
  if (all.length <= 1) return all[0];
  const standard =
    all.find(config => config.default === true) ?? all.find(({config_name}) => config_name === 'default');
  if (standard) return standard;
  throw wrongUsage(`Cannot import ${folder}: it holds several data sets; say --config with one of ${names.join(', ')}`);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isConfig = (value: unknown): value is Config =>
  isObject(value) && typeof value.config_name === 'string' && value.data_files !== undefined;

/** Patterns of README.md: a text, a list of them, or a list of splits with theirs. */
function configured({data_files: dataFiles}: Config, files: string[]): FolderSplit[] {
  const entries = Array.isArray(dataFiles) ? dataFiles : [dataFiles];
  const isSplit = (entry: unknown): entry is {split: unknown; path: unknown} => isObject(entry) && 'path' in entry;
  const listed = entries.every(isSplit)
    ? entries.map(({split, path}) => ({name: String(split ?? 'train'), patterns: [path].flat()}))
    : [{name: 'train', patterns: entries}];
  return listed.map(({name, patterns}) => {
    const found = files.filter(file => patterns.some(pattern => matches(String(pattern), file)));
    if (found.length > 0) return {name, files: found};
    throw wrongUsage(`Cannot import split ${name}: README.md names ${patterns.join(', ')}, there is no such file`);
  });
}

/** ** is any path, * any name, ? any character. */
function matches(pattern: string, file: string): boolean {
  const source = pattern
    .replace(/^\.\//, '')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/?|\*|\?/g, glob =>
      glob === '?' ? '[^/]' : glob === '*' ? '[^/]*' : glob === '**' ? '.*' : '(?:.*/)?',
    );
  return new RegExp(`^${source}$`).test(file);
}

/** Shards say their split; else a word of the path does; a file that says nothing is for training. */
function named(files: string[]): FolderSplit[] {
  const splits = new Map<string, string[]>();
  const isSharded = files.some(file => shard.test(file));
  for (const file of files) {
    const name = isSharded ? shard.exec(file)?.[1] : keyword(file);
    if (name === undefined) continue;
    splits.set(name, [...(splits.get(name) ?? []), file]);
  }
  if (splits.size === 0 && files.length > 0) splits.set('train', files);
  return [...splits].map(([name, found]) => ({name, files: found}));
}

function keyword(file: string): string | undefined {
  const words = file.toLowerCase().split(/[^a-z]+/);
  return Object.keys(keywords).find(name => words.some(word => keywords[name].includes(word)));
}

/** `dataset_info` describes one data set, or a list of them by config_name. */
function classNames({dataset_info: info}: Card, config: string | undefined): Map<string, string[]> {
  const all = (Array.isArray(info) ? info : [info]).filter(isObject);
  const found = all.find(entry => entry.config_name === config) ?? (all.length === 1 ? all[0] : undefined);
  const features = Array.isArray(found?.features) ? found.features.filter(isObject) : [];
  return new Map(
    features.flatMap(({name, dtype}) => {
      const names = isObject(dtype) && isObject(dtype.class_label) ? dtype.class_label.names : undefined;
      if (!isObject(names)) return [];
      const inOrder = Object.entries(names).sort(([a], [b]) => Number(a) - Number(b));
      return [[String(name), inOrder.map(([, value]) => String(value))] as const];
    }),
  );
}
