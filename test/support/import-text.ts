// One call of ImportDataset over gRPC, and the files that it must refuse with what it must say.
import {Status} from 'nice-grpc';
import {FileFormat, type ImportDatasetHeader} from '../../src/server/gen/ftft/v1/dataset.js';
import type {FtftServiceClient} from '../../src/server/gen/ftft/v1/ftft_service.js';

const maxPartBytes = 1 << 20;

/** How a call must fail. */
export interface Refusal {
  code: Status;
  reason: string;
  /** `field: description` each; none when undefined. */
  violations?: string[];
  message?: RegExp;
}

/** Cats and dogs, as split train of datasets/pets unless the header says otherwise. afterData: between the data and its end. */
export function importText(
  client: FtftServiceClient,
  header: Partial<ImportDatasetHeader>,
  content: string | Uint8Array,
  signal?: AbortSignal,
  afterData: () => Promise<void> = async () => {},
) {
  const value = {
    dataset: 'datasets/pets',
    split: 'train',
    format: FileFormat.FILE_FORMAT_JSONL,
    columns: {text: 'text', label: 'label', id: 'uid'},
    classLabels: [{name: 'cat'}, {name: 'dog'}],
    ...header,
  };
  async function* parts() {
    yield {part: {$case: 'header' as const, value}};
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length || at === 0; at += maxPartBytes)
      yield {part: {$case: 'data' as const, value: bytes.subarray(at, at + maxPartBytes)}};
    await afterData();
  }
  return client.importDataset(parts(), {signal});
}

const row = (uid: string, rest = '"text":"the cat","label":"cat"') => `{"uid":"${uid}",${rest}}\n`;
const wrongRows = (...violations: string[]): Refusal => ({
  code: Status.INVALID_ARGUMENT,
  reason: 'ROWS_INVALID',
  violations,
});

/** What is wrong, the bytes, and how they are refused. */
export const wrongImports: [string, string | Uint8Array, Refusal][] = [
  [
    'unknown label',
    row('a') + row('b', '"text":"the cow","label":"cow"'),
    wrongRows('data[line 2].label: expected one of cat, dog, found "cow"'),
  ],
  ['empty file', '', wrongRows('data: expected at least one row, the file holds none')],
  [
    'malformed line',
    `${row('a')}{"uid":"b","text":"the cat","label":"cat"\n`,
    wrongRows('data[line 2]: expected one JSON object, found malformed JSON at character 41'),
  ],
  [
    'duplicate uid',
    row('a') + row('b') + row('a'),
    wrongRows('data[line 3].uid: expected an id of its own, "a" is that of line 1 already'),
  ],
  [
    'missing text',
    row('a', '"label":"cat"') + row('b', '"text":null,"label":"cat"'),
    wrongRows('data[line 1].text: is missing; the object has "uid", "label"', 'data[line 2].text: is missing: null'),
  ],
  [
    'text that is not UTF-8',
    Buffer.concat([
      Buffer.from(`${row('a')}{"uid":"b","text":"caf`),
      Buffer.of(0xe9),
      Buffer.from('","label":"cat"}\n'),
    ]),
    wrongRows('data[line 2]: expected UTF-8, found bytes that are not'),
  ],
];
