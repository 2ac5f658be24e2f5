// The labelled texts that benchmarks take their batches from, by name → tokenised; what is not on this machine is told, not missed.
import {createReadStream, existsSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {createGunzip} from 'node:zlib';
import {readConfig} from '../src/config.js';
import {readSplit} from '../src/data/read-split.js';
import {loadTokenizer} from '../src/data/tokenizer.js';
import type {Example} from '../src/data/types.js';
import {tokenize} from '../src/pipeline/tokenize.js';
import type {TokenizedDataset} from '../src/pipeline/types.js';
import type {Notes} from './report/results.js';

const {cacheDir, modelDir} = readConfig(process.env);
export const modelFolder = join(modelDir, 'minilm-l6');
export const dataFolder = join(cacheDir, 'demo-data');
/** Beside the checkout; not everybody has it. */
export const sharedFolder = fileURLToPath(new URL('../../shared', import.meta.url));
export const maxLength = 300;

interface Source {
  title: string;
  file: string;
  columns: {text: string; textPair?: string; label: string; id: string};
  classNames: string[];
}

export const sources = {
  movie: {
    title: 'movie reviews',
    file: join(dataFolder, 'train.jsonl'),
    columns: {text: 'text', label: 'label', id: 'uid'},
    classNames: ['negative', 'positive'],
  },
  snli: {
    title: 'SNLI pairs',
    file: join(sharedFolder, 'data', 'nli', 'train.jsonl.gz'),
    columns: {text: 'premise', textPair: 'hypothesis', label: 'label', id: 'uid'},
    classNames: ['entailment', 'neutral', 'contradiction'],
  },
  abuse: {
    title: 'abuse posts',
    file: join(sharedFolder, 'data', 'hate', 'train.jsonl.gz'),
    columns: {text: 'text', label: 'label', id: 'uid'},
    classNames: ['non-toxic', 'toxic'],
  },
} satisfies Record<string, Source>;

export type SourceName = keyof typeof sources;

/** Undefined, with a note, where the file is not there. */
export async function readExamples(name: SourceName, notes: Notes): Promise<Example[] | undefined> {
  const {title, file, columns, classNames}: Source = sources[name];
  if (!existsSync(file)) {
    const where = file.startsWith(sharedFolder) ? 'they need ../shared beside the checkout' : 'run npm run bench first';
    notes[title] = `skipped, ${where}`;
    return undefined;
  }
  const bytes = createReadStream(file);
  const {examples} = await readSplit(file.endsWith('.gz') ? bytes.pipe(createGunzip()) : bytes, {
    format: 'jsonl',
    hasHeaderRow: false,
    columns,
    classLabels: classNames.map(className => ({name: className, aliases: []})),
    fileName: title,
  });
  return examples;
}

export async function readTokenized(name: SourceName, notes: Notes): Promise<TokenizedDataset | undefined> {
  const examples = await readExamples(name, notes);
  if (!examples) return undefined;
  const tokenizer = await loadTokenizer(modelFolder);
  return tokenize(examples, tokenizer, {maxLength, numClasses: sources[name].classNames.length});
}
