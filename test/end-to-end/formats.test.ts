// One split in every format that people's data has, through the real server: the same instances, the same map of the same logs, and the
// selected third of the original records in their order.
import assert from 'node:assert/strict';
import {mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {after, before, test} from 'node:test';
import {gzipSync} from 'node:zlib';
import {parquetWriteBuffer} from 'hyparquet-writer';
import {randomStream} from '../../src/random.js';
import {runJson} from '../cli/support/terminal.js';
import {type ServerProcess, startServer, temporaryFolder} from '../support/server-process.js';

const numInstances = 60;
const numEpochs = 4;
const names = ['entailment', 'neutral', 'contradiction'];
const folder = temporaryFolder();
let server: ServerProcess;
before(async () => {
  server = await startServer(join(folder, 'state'));
});
after(async () => {
  await server.stop();
  rmSync(folder, {recursive: true});
});
const path = (name: string) => join(folder, name);

const ftft = (...args: string[]) => runJson(server.address, args);

/** What formats and readers with manners of their own would change: quotes, NA, spaces at the ends, a long id. */
const records = Array.from({length: numInstances}, (_, i) => ({
  pairID: `${900719925474099100n + BigInt(i)}`,
  premise: ['NA', ' "quoted", he said ', 'null', 'naïve 🙂', `premise ${i}`][i % 5] + (i < 5 ? '' : ` ${i}`),
  hypothesis: ['"opened', 'nan', `hypothesis ${i}`][i % 3],
  gold_label: names[(i * 7) % 3],
  genre: `genre "${i % 4}"`,
}));
type Column = keyof (typeof records)[0];
const columns = Object.keys(records[0]) as Column[];

const jsonl = records.map(record => `${JSON.stringify(record)}\n`).join('');
const separated = (separator: string, cell: (text: string) => string) =>
  [columns, ...records.map(record => columns.map(column => cell(record[column])))]
    .map(cells => `${cells.join(separator)}\n`)
    .join('');
const csv = separated(',', text => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text));
const tsv = separated('\t', text => text);
const parquet = (rows: typeof records) =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: columns.map(name => ({name, type: 'STRING', data: rows.map(record => record[name])})),
    }),
  );

/** One frame of one block, stored as it is. */
function zstd(text: string): Buffer {
  const content = Buffer.from(text);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(content.length);
  const block = Buffer.alloc(4);
  block.writeUInt32LE((content.length << 3) | 1);
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0]), size, block.subarray(0, 3), content]);
}

function writeLogs(): string {
  const random = randomStream(3, 'data');
  for (let epoch = 0; epoch < numEpochs; epoch++) {
    const file = path(`model/training_dynamics/dynamics_epoch_${epoch}.jsonl`);
    mkdirSync(dirname(file), {recursive: true});
    const lines = records.map(({pairID, gold_label: label}) => {
      const gold = names.indexOf(label);
      const logits = names.map((_, c) => random() * 4 + (c === gold ? epoch / 2 : 0));
      return `${JSON.stringify({guid: pairID, [`logits_epoch_${epoch}`]: logits, gold})}\n`;
    });
    writeFileSync(file, lines.join(''));
  }
  return path('model');
}

const head = '---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n---\n';
const mapping = ['--text', 'premise', '--text-pair', 'hypothesis', '--label', 'gold_label', '--id', 'pairID'];
const formats: Record<string, Record<string, string | Uint8Array>> = {
  jsonl: {'train.jsonl': jsonl},
  csv: {'train.csv': csv},
  tsv: {'train.tsv': tsv},
  parquet: {'train.parquet': parquet(records)},
  gzip: {'train.csv.gz': gzipSync(csv)},
  zstd: {'train.jsonl.zst': zstd(jsonl)},
  'two files': {'a.tsv': tsv, 'b.tsv': `${columns.join('\t')}\n`},
  hub: {
    'data/train-00000-of-00002.parquet': parquet(records.slice(0, 25)),
    'data/train-00001-of-00002.parquet': parquet(records.slice(25)),
    'README.md': head,
  },
};

test('every format gives the same instances, the same map and the same original records', async () => {
  const logs = writeLogs();
  const maps = new Set<string>();
  const subsets = new Set<string>();
  for (const [format, files] of Object.entries(formats)) {
    const dataset = format.replace(' ', '-');
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(path(`${dataset}/${name}`)), {recursive: true});
      writeFileSync(path(`${dataset}/${name}`), content);
    }
    const sources = Object.keys(files)
      .filter(name => name !== 'README.md')
      .map(name => path(`${dataset}/${name}`));
    const options = [...mapping, '--classes', names.join()];
    if (format === 'hub') await ftft('import-folder', dataset, path(dataset), ...options);
    else await ftft('import', dataset, 'train', ...sources, ...options);
    const {run: imported} = await ftft('import-dynamics', logs, '--dataset', dataset);
    const map = await ftft('build-data-map', imported.name, '--fraction', '0.33', '--rule', 'rank');
    assert.equal(map.selectedCount, 20, format);
    maps.add(map.digest);
    await ftft('export-subset', map.name, path(`${dataset}/subset.jsonl`), '--source', ...sources);
    const lines = readFileSync(path(`${dataset}/subset.jsonl`), 'utf8')
      .trimEnd()
      .split('\n');
    subsets.add(JSON.stringify(lines.map(line => JSON.parse(line))));
    await ftft('export-subset', map.name, path(`${dataset}/mapped.jsonl`));
    const mapped = readFileSync(path(`${dataset}/mapped.jsonl`), 'utf8')
      .trimEnd()
      .split('\n');
    assert.deepEqual(
      mapped.map(line => JSON.parse(line)),
      lines.map(line => {
        const {genre, ...rest} = JSON.parse(line);
        return rest;
      }),
      format,
    );
  }
  assert.equal(maps.size, 1);
  assert.equal(subsets.size, 1);
  const subset = JSON.parse([...subsets][0]) as typeof records;
  const positions = subset.map(record =>
    records.findIndex(other => columns.every(column => other[column] === record[column])),
  );
  assert.equal(positions.length, 20);
  assert.ok(
    positions.every((position, i) => position > (positions[i - 1] ?? -1)),
    'records of the file, in its order',
  );
});
