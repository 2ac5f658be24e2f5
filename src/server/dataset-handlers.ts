// ImportDataset, GetDataset, ListDatasets: check, ask runs, translate.
import {setTimeout as sleep} from 'node:timers/promises';
import {FtftError, invalidFields} from '../errors.js';
import type {Runs} from '../runs/api.js';
import type {ImportDatasetHeader, ImportDatasetRequest} from './gen/ftft/v1/dataset.js';
import type {FtftServiceImplementation} from './gen/ftft/v1/ftft_service.js';
import {RequestChecks} from './request-checks.js';
import {fromImportHeader, toDataset, toSplit} from './translate-dataset.js';

const maxDataBytes = 1024 * 1024;
const afterEndMs = 10;
const importing = 'Cannot import a dataset';

type Handlers = Pick<FtftServiceImplementation, 'importDataset' | 'getDataset' | 'listDatasets'>;

export function datasetHandlers(runs: Runs): Handlers {
  return {
    async importDataset(requests, {signal}) {
      const messages = requests[Symbol.asyncIterator]();
      const checks = new RequestChecks(importing);
      const header = fromImportHeader(await headerOf(messages), checks);
      checks.throwIfAny();
      const {dataset, split, warnings} = await runs.importDataset(header, dataOf(messages, signal));
      return {dataset: toDataset(dataset), split: toSplit(split), warnings};
    },

    async getDataset({name}) {
      const checks = new RequestChecks('Cannot get a dataset');
      const id = checks.name('name', 'datasets', name);
      checks.throwIfAny();
      return toDataset(runs.getDataset(id));
    },

    async listDatasets(request) {
      const checks = new RequestChecks('Cannot list datasets');
      const page = checks.page(request);
      checks.throwIfAny();
      const {datasets, nextPageToken} = runs.listDatasets(page);
      return {datasets: datasets.map(toDataset), nextPageToken};
    },
  };
}

async function headerOf(messages: AsyncIterator<ImportDatasetRequest>): Promise<ImportDatasetHeader> {
  const first = await messages.next();
  if (!first.done && first.value.part?.$case === 'header') return first.value.part.value;
  const found = first.done
    ? 'the stream is empty'
    : `the first message has ${first.value.part?.$case ?? 'no part set'}`;
  throw invalidFields(importing, [{field: 'header', description: `must be the first message, but ${found}`}]);
}

async function* dataOf(messages: AsyncIterator<ImportDatasetRequest>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let next = await messages.next(); !next.done; next = await messages.next()) {
    const {part} = next.value;
    if (part?.$case !== 'data')
      throw invalidFields(importing, [
        {field: part?.$case ?? 'part', description: 'must not follow the header: every later message carries data'},
      ]);
    if (part.value.length > maxDataBytes)
      throw new FtftError(
        'RESOURCE_EXHAUSTED',
        `${importing}: a data message must hold at most ${maxDataBytes} bytes, this one holds ${part.value.length}`,
        {reason: 'MESSAGE_TOO_LARGE', metadata: {limit_bytes: String(maxDataBytes)}},
      );
    yield part.value;
  }
  // A stream that its client breaks off ends here like a whole one, and is known as cancelled only a moment later.
  await sleep(afterEndMs);
  signal.throwIfAborted();
}
