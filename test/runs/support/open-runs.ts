// Runs over a folder of their own with the fake trainer, a small dataset and a tiny model: real storage, real processes.
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {TestContext} from 'node:test';
import {fileURLToPath} from 'node:url';
import {parseModelConfig} from '../../../src/data/model-config.js';
import {writeSafetensors} from '../../../src/data/safetensors.js';
import {expectedParameters} from '../../../src/model/parameters.js';
import type {ImportHeader, RunCreation} from '../../../src/runs/api.js';
import {createRuns, type RunsOptions, type RunsWithLife} from '../../../src/runs/create-runs.js';
import type {RunRecord, StoredEvent, TrainingSpecInput} from '../../../src/runs/types.js';
import {config, vocabulary} from '../../data/model-folder.js';

const fakeTrainer = fileURLToPath(new URL('./fake-trainer.ts', import.meta.url));

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ftft-runs-'));
  t.after(() => rm(folder, {recursive: true, force: true, maxRetries: 5}));
  return folder;
}

/** Options for a folder that holds the model local:tiny. */
export async function runsOptions(folder: string): Promise<RunsOptions> {
  const modelDir = join(folder, 'models');
  await writeTinyModel(join(modelDir, 'tiny'));
  return {
    dataDir: join(folder, 'data'),
    cacheDir: join(folder, 'cache'),
    modelDir,
    isOffline: true,
    hubToken: undefined,
    leaseMs: 1500,
    maxPendingRuns: 10,
    trainerEntry: fakeTrainer,
  };
}

/** Open until the test ends. */
export async function openRuns(t: TestContext, overrides: Partial<RunsOptions> = {}): Promise<RunsWithLife> {
  const folder = await temporaryFolder(t);
  const runs = await createRuns({...(await runsOptions(folder)), ...overrides});
  t.after(() => runs.close({graceMs: 5000}));
  return runs;
}

export const header: ImportHeader = {
  dataset: 'pets',
  split: 'train',
  isOutOfDistribution: false,
  format: 'jsonl',
  hasHeaderRow: false,
  columns: {text: 'text', label: 'label', id: 'uid'},
  filters: [],
  classLabels: [
    {name: 'cat', aliases: []},
    {name: 'dog', aliases: ['d']},
  ],
  validateOnly: false,
};

/** JSON Lines whose words of the vocabulary speak, more or less, for the label. */
export function lines(count: number, prefix = 'i'): string {
  const words = ['the cat', 'cats the', 'the the', 'σ cat', '丽'];
  const rows = Array.from({length: count}, (_, i) => ({
    uid: `${prefix}${i}`,
    text: `${words[i % 5]} ${words[(i * 7) % 3]}`,
    label: i % 3 === 0 ? 'dog' : 'cat',
  }));
  return rows.map(row => `${JSON.stringify(row)}\n`).join('');
}

export async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.from(text);
  for (let i = 0; i < buffer.length; i += 1000) yield buffer.subarray(i, i + 1000);
}

export async function importPets(runs: RunsWithLife, numTrain = 60): Promise<void> {
  await runs.importDataset(header, bytes(lines(numTrain)));
  await runs.importDataset({...header, split: 'ood', isOutOfDistribution: true}, bytes(lines(20, 'o')));
}

/** A reference of 3 epochs of 15 steps. */
export function creation(spec: Partial<TrainingSpecInput> = {}, rest: Partial<RunCreation> = {}): RunCreation {
  return {
    spec: {dataset: 'pets', model: 'local:tiny', epochs: 3, batchSize: 4, maxLength: 10, learningRate: 0.1, ...spec},
    labels: {},
    validateOnly: false,
    ...rest,
  };
}

export async function waitUntil(
  runs: RunsWithLife,
  id: string,
  holds: (run: RunRecord) => boolean,
): Promise<RunRecord> {
  const signal = AbortSignal.timeout(60_000);
  let run = await runs.getRun(id);
  while (!holds(run)) run = await runs.waitRun(id, run.etag, 5000, signal);
  return run;
}

export const waitForEnd = (runs: RunsWithLife, id: string): Promise<RunRecord> =>
  waitUntil(runs, id, run => run.endTime !== undefined);

/** The whole log of a run that ends. */
export async function allEvents(runs: RunsWithLife, id: string, sequence = 1): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const event of runs.events(id, {start: {sequence}, signal: AbortSignal.timeout(60_000)}))
    if (event !== 'caught-up') events.push(event);
  return events;
}

/** Digests of the epochs that stand. */
export function digests(events: StoredEvent[]): string[] {
  const found: string[] = [];
  for (const {event} of events) {
    if (event.kind === 'epoch-committed') found[event.epoch] = event.digest;
    if (event.kind === 'epochs-discarded') found.length = Math.min(found.length, event.firstEpoch);
  }
  return found;
}

async function writeTinyModel(folder: string): Promise<void> {
  await mkdir(folder, {recursive: true});
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  await writeFile(join(folder, 'vocab.txt'), vocabulary.map(token => `${token}\n`).join(''));
  const model = parseModelConfig('config.json', JSON.stringify(config));
  const shapes = expectedParameters(model, 2);
  const tensors = shapes
    .filter(({name}) => !name.startsWith('classifier.'))
    .map(({name, shape}) => ({name, shape, read: () => new Float32Array(shape.reduce((a, b) => a * b, 1))}));
  await writeSafetensors(join(folder, 'model.safetensors'), tensors);
}
