// What is compared on: a data set of the server's, or movie reviews with development and test sets apart.
import {join} from 'node:path';
import {ClientError, Status} from 'nice-grpc';
import {type Dataset, FileFormat} from '../server/gen/ftft/v1/dataset.js';
import type {FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {checkThere, testSets} from './demo-data.js';
import {firstLines, importBytes, readBytes, withoutFirstLines} from './import-file.js';
import {wrongUsage} from './report-error.js';

export interface ComparedData {
  /** datasets/ID. */
  dataset: string;
  devSplits: string[];
  testSplits: {split: string; isOutOfDistribution: boolean}[];
}

/** Both kinds of splits as given. */
export async function ownData(
  client: FtftServiceClient,
  dataset: string,
  {devSplits, testSplits}: {devSplits?: string[]; testSplits?: string[]},
  signal: AbortSignal,
): Promise<ComparedData> {
  if (!devSplits || !testSplits)
    throw wrongUsage(
      'Give --dev-splits and --test-splits: early stopping watches the first, the table is of the second',
    );
  const {splits} = await client.getDataset({name: dataset}, {signal});
  const isOod = new Map(splits.map(({name, outOfDistribution}) => [name, outOfDistribution]));
  return {
    dataset,
    devSplits,
    testSplits: testSplits.map(split => ({split, isOutOfDistribution: isOod.get(split) ?? false})),
  };
}

/** Of each test file the first lines are the test set and the next ones the development set. What is there already stays. */
export async function importComparedData(
  client: FtftServiceClient,
  folder: string,
  {train, dev, test}: {train: number; dev: number; test: number},
  signal: AbortSignal,
): Promise<ComparedData> {
  const dataset = `datasets/movies-${train}-${dev}-${test}`;
  const splits = [
    {split: 'train', file: 'train', skip: 0, lines: train, isOutOfDistribution: false},
    ...testSets.flatMap(({split: file, isOutOfDistribution}) => [
      {split: file.replace(/^[a-z]+_/, 'dev_'), file, skip: test, lines: dev, isOutOfDistribution},
      {split: file.replace(/^[a-z]+_/, 'test_'), file, skip: 0, lines: test, isOutOfDistribution},
    ]),
  ];
  const there = new Set((await findDataset(client, dataset, signal))?.splits.map(({name}) => name));
  for (const {split, file, skip, lines, isOutOfDistribution} of splits.filter(({split}) => !there.has(split))) {
    const path = join(folder, `${file}.jsonl`);
    await checkThere(path);
    const header = {
      ...{dataset, split, outOfDistribution: isOutOfDistribution, format: FileFormat.FILE_FORMAT_JSONL},
      columns: {text: 'text', label: 'label', id: 'uid'},
      classLabels: [{name: 'negative'}, {name: 'positive'}],
    };
    const bytes = withoutFirstLines(readBytes(path, process.stdin), skip);
    await importBytes(client, header, firstLines(bytes, lines), signal);
  }
  return {
    dataset,
    devSplits: splits.map(({split}) => split).filter(split => split.startsWith('dev_')),
    testSplits: splits.filter(({split}) => split.startsWith('test_')),
  };
}

async function findDataset(client: FtftServiceClient, name: string, signal: AbortSignal): Promise<Dataset | undefined> {
  return await client.getDataset({name}, {signal}).catch(error => {
    if (error instanceof ClientError && error.code === Status.NOT_FOUND) return undefined;
    throw error;
  });
}
