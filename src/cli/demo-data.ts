// The five files of the demo → five splits of one dataset on the server.
import {access} from 'node:fs/promises';
import {join} from 'node:path';
import {FtftError} from '../errors.js';
import {FileFormat} from '../server/gen/ftft/v1/dataset.js';
import type {FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import type {DemoOptions} from './demo-command.js';
import {count} from './format.js';
import {firstLines, importBytes, readBytes} from './import-file.js';

export const demoDataset = 'datasets/demo';

/** The four test sets, in the order of the table's columns. */
export const testSets = [
  {split: 'test_movie', title: 'movie', isOutOfDistribution: false},
  {split: 'ood_amazon', title: 'Amazon', isOutOfDistribution: true},
  {split: 'ood_tweets', title: 'tweets', isOutOfDistribution: true},
  {split: 'ood_nyt', title: 'NYT', isOutOfDistribution: true},
];

/** Yields a line for each split; the client is the one that all verbs use. */
export async function* importDemoData(
  client: FtftServiceClient,
  options: DemoOptions,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const splits = [{split: 'train', title: 'movie', isOutOfDistribution: false}, ...testSets];
  for (const {split, title, isOutOfDistribution} of splits) {
    const file = join(options.demoDataDir, `${split}.jsonl`);
    await checkThere(file);
    const numLines = split === 'train' ? options.numTrain : options.numTest;
    const bytes = readBytes(file, process.stdin);
    const header = {
      dataset: demoDataset,
      split,
      outOfDistribution: isOutOfDistribution,
      format: FileFormat.FILE_FORMAT_JSONL,
      columns: {text: 'text', label: 'label', id: 'uid'},
      classLabels: [{name: 'negative'}, {name: 'positive'}],
    };
    const response = await importBytes(client, header, firstLines(bytes, numLines), signal);
    const counts = response.split?.classCounts.map((n, i) => `${count(n)} ${response.dataset?.classNames[i]}`);
    const kind = split === 'train' ? 'to train on' : isOutOfDistribution ? 'out of distribution' : 'in distribution';
    yield `${split.padEnd(11)} ${title.padEnd(7)} ${count(response.split?.instanceCount ?? 0).padStart(5)} instances  ${counts?.join(', ').padEnd(29)}  ${kind}`;
  }
}

export async function checkThere(file: string): Promise<void> {
  await access(file).catch(() => {
    throw new FtftError(
      'FAILED_PRECONDITION',
      `The demo's data is not there: ${file}; fetch it with: node scripts/setup.mjs`,
      {
        reason: 'DATASET_NOT_FOUND',
      },
    );
  });
}
