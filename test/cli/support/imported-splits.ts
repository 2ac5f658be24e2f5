// What a service in memory was sent → the examples that the server's reader makes of it.
import {readSplit} from '../../../src/data/read-split.js';
import type {Example} from '../../../src/data/types.js';
import {FileFormat} from '../../../src/server/gen/ftft/v1/dataset.js';
import type {FakeService} from './fake-service.js';

const formats = {
  [FileFormat.FILE_FORMAT_JSONL]: 'jsonl',
  [FileFormat.FILE_FORMAT_CSV]: 'csv',
  [FileFormat.FILE_FORMAT_TSV]: 'tsv',
  [FileFormat.FILE_FORMAT_PARQUET]: 'parquet',
} as const;

export interface ImportedSplit {
  dataset: string;
  split: string;
  isOutOfDistribution: boolean;
  examples: Example[];
}

/** Of splits of one file each. */
export async function importedSplits({imports}: FakeService): Promise<ImportedSplit[]> {
  return await Promise.all(
    imports.map(async ({header, bytes}) => {
      const {columns, filters, format} = header;
      const {examples} = await readSplit(
        (async function* () {
          yield bytes;
        })(),
        {
          format: formats[format as keyof typeof formats],
          hasHeaderRow: !header.noHeaderRow,
          columns: {...columns!, textPair: columns!.textPair || undefined, id: columns!.id || undefined},
          filters: filters.map(({exclude: isExcluding, ...filter}) => ({...filter, isExcluding})),
          classLabels: header.classLabels,
        },
      );
      return {dataset: header.dataset, split: header.split, isOutOfDistribution: header.outOfDistribution, examples};
    }),
  );
}
