// ImportDataset, GetDataset, ListDatasets: check, ask runs, translate.
import type {Page, Runs} from '../runs/api.js';
import {type ImportDatasetRequest, ListDatasetsResponse} from './gen/ftft/v1/dataset.js';
import type {FtftServiceImplementation} from './gen/ftft/v1/ftft_service.js';
import {ImportStream} from './import-stream.js';
import {fittingPage} from './page-size.js';
import {RequestChecks} from './request-checks.js';
import {fromImportHeader, toDataset, toSplit} from './translate-dataset.js';

const importing = 'Cannot import a dataset';

type Part = NonNullable<ImportDatasetRequest['part']>;
type Handlers = Pick<FtftServiceImplementation, 'importDataset' | 'getDataset' | 'listDatasets'>;

export function datasetHandlers(runs: Runs): Handlers {
  return {
    async importDataset(requests, {signal}) {
      const stream = new ImportStream<Part>(importing, requests, signal);
      const checks = new RequestChecks(importing);
      const header = fromImportHeader(await stream.header(), checks);
      checks.throwIfAny();
      const {dataset, split, warnings} = await runs.importDataset(header, dataOf(stream));
      return {dataset: toDataset(dataset), split: toSplit(split), warnings};
    },

    async getDataset({name}) {
      const checks = new RequestChecks('Cannot get a dataset');
      const id = checks.name('name', 'datasets', name);
      checks.throwIfAny();
      return toDataset(await runs.getDataset(id));
    },

    async listDatasets(request) {
      const checks = new RequestChecks('Cannot list datasets');
      const page = checks.page(request);
      checks.throwIfAny();
      const read = async (page: Page) => {
        const {datasets, nextPageToken} = await runs.listDatasets(page);
        return {datasets: datasets.map(toDataset), nextPageToken};
      };
      return await fittingPage(page, ListDatasetsResponse, read, ({datasets}) => datasets.length);
    },
  };
}

async function* dataOf(stream: ImportStream<Part>): AsyncGenerator<Uint8Array | {fileName: string}> {
  for await (const part of stream.parts(({$case, value}) => ($case === 'data' ? value : Buffer.alloc(0))))
    yield part.$case === 'data' ? part.value : {fileName: part.value.fileName};
}
