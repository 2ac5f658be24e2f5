// The exports against a service in memory: what lands in files of each format, and that files are whole or not there.
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, beforeEach, test} from 'node:test';
import {gzipSync} from 'node:zlib';
import {asyncBufferFromFile, parquetReadObjects} from 'hyparquet';
import {InstanceMetric} from '../../src/server/gen/ftft/v1/data_map.js';
import {Dataset} from '../../src/server/gen/ftft/v1/dataset.js';
import {Run_Kind} from '../../src/server/gen/ftft/v1/run.js';
import {addRun, type FakeService, startFakeService} from './support/fake-service.js';
import {fakeMap, floats} from './support/fake-tale.js';
import {run} from './support/terminal.js';

let fake: FakeService;
let folder: string;
before(async () => {
  fake = await startFakeService();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ftft-export-'));
  fake.runs.clear();
  fake.maps.clear();
  fake.datasets.clear();
  const reference = addRun(fake, 'ref', Run_Kind.KIND_REFERENCE, {dataset: 'datasets/demo', trainSplit: 'train'});
  fake.maps.set('dataMaps/m', fakeMap('dataMaps/m', reference, undefined));
  const columns = {text: 'review', label: 'sentiment', id: 'uid'};
  const dataset = {name: 'datasets/demo', classNames: ['negative', 'positive'], splits: [{name: 'train', columns}]};
  fake.datasets.set('datasets/demo', Dataset.fromPartial(dataset));
});
after(() => fake.stop());

const path = (name: string) => join(folder, name);
async function done(...args: string[]): Promise<string> {
  const {exitCode, out, err} = await run(fake.address, args);
  assert.equal(exitCode, 0, err);
  return out;
}
async function failed(message: RegExp, ...args: string[]): Promise<void> {
  const {exitCode, err} = await run(fake.address, args);
  assert.ok(exitCode > 1, err);
  assert.match(err, message);
}
/** Logits of two classes, positive for odd instances, as a run that keeps them sends them. */
function keepLogits(): void {
  for (const {event} of fake.logs.get('runs/ref')!)
    if (event?.$case === 'chunk') {
      const {firstInstance, instanceCount, epoch} = event.value;
      const rows = Array.from({length: instanceCount}, (_, i) => [0.1 * epoch, firstInstance + i + 1e-7]);
      Object.assign(event.value, {classCount: 2, logits: floats(rows.flat())});
    }
}

test('a map becomes coordinates as cartography has them, a CSV table or a Parquet file', async () => {
  assert.match(await done('export-map', 'm', path('m.jsonl')), /m\.jsonl: 10 instances of dataMaps\/m/);
  const lines = (await readFile(path('m.jsonl'), 'utf8')).trimEnd().split('\n');
  assert.equal(lines.length, 10);
  assert.deepEqual(JSON.parse(lines[9]), {
    guid: 'movie-9',
    index: 9,
    threshold_closeness: 0.234375,
    confidence: 0.625,
    variability: 0.28125,
    correctness: 4,
    forgetfulness: 1,
  });
  await done('export-map', 'm', path('m.csv'));
  const csv = (await readFile(path('m.csv'), 'utf8')).split('\n');
  assert.equal(csv[0], 'guid,index,threshold_closeness,confidence,variability,correctness,forgetfulness,selected');
  assert.equal(csv[1], 'movie-0,0,0.05859375,0.0625,0,0,1000,0');
  assert.equal(csv[10], 'movie-9,9,0.234375,0.625,0.28125,4,1,1');
  await done('export-map', 'm', path('m.parquet'));
  const rows = await parquetReadObjects({file: await asyncBufferFromFile(path('m.parquet'))});
  assert.deepEqual({...rows[9]}, {...JSON.parse(lines[9]), selected: true});
  assert.deepEqual((await readdir(folder)).sort(), ['m.csv', 'm.jsonl', 'm.parquet']);
});

test("a map's scores are columns too, a trajectory one an epoch, and what is not a number is missing", async () => {
  const {readDataMap} = fake.blocks;
  fake.blocks.readDataMap = block => ({
    ...block,
    score: floats(Array.from({length: block.instanceCount}, (_, i) => block.firstInstance + i)),
    variability: floats(Array(block.instanceCount).fill(Number.NaN)),
    metricColumns: [
      {metric: InstanceMetric.INSTANCE_METRIC_EL2N, values: floats(Array(block.instanceCount).fill(0.1))},
      {
        metric: InstanceMetric.INSTANCE_METRIC_LOSS_TRAJECTORY,
        values: floats(Array.from({length: 2 * block.instanceCount}, (_, i) => i % 2)),
      },
    ],
  });
  await done('export-map', 'm', path('m.csv'));
  await done('export-map', 'm', path('m.jsonl'));
  fake.blocks.readDataMap = readDataMap;
  const csv = (await readFile(path('m.csv'), 'utf8')).split('\n');
  assert.ok(csv[0].endsWith(',selected,score,el2n,loss_trajectory_epoch_0,loss_trajectory_epoch_1'));
  assert.equal(csv[10], 'movie-9,9,0.234375,0.625,,4,1,1,9,0.100000001,0,1');
  assert.equal(JSON.parse((await readFile(path('m.jsonl'), 'utf8')).split('\n')[0]).variability, null);
});

test("a run's logs are the files that cartography counts and reads, whole or not there", async () => {
  keepLogits();
  assert.match(await done('export-dynamics', 'ref', path('out')), /3 epochs of 10 instances of runs\/ref/);
  assert.deepEqual(await readdir(path('out')), ['training_dynamics']);
  const names = (await readdir(path('out/training_dynamics'))).sort();
  assert.deepEqual(names, ['dynamics_epoch_0.jsonl', 'dynamics_epoch_1.jsonl', 'dynamics_epoch_2.jsonl']);
  const lines = (await readFile(path('out/training_dynamics/dynamics_epoch_2.jsonl'), 'utf8')).trimEnd().split('\n');
  assert.equal(lines.length, 10);
  assert.equal(lines[7], '{"guid":"movie-7","logits_epoch_2":[0.200000003,7],"gold":1}');
  await failed(/it is there already; remove it/, 'export-dynamics', 'ref', path('out'));
});

test('without logits a table of p_true is written, and logs are refused', async () => {
  await failed(/its logits must be there, it kept none/, 'export-dynamics', 'ref', path('out'));
  assert.deepEqual(await readdir(folder), []);
  await done('export-dynamics', 'ref', path('p.csv'));
  const csv = (await readFile(path('p.csv'), 'utf8')).trimEnd().split('\n');
  assert.equal(csv.length, 31);
  assert.deepEqual(
    [csv[0], csv[1], csv[14]],
    ['guid,epoch,p_true,correct,gold', 'movie-0,0,0.25,0,0', 'movie-3,1,0.5,1,1'],
  );
  await done('export-dynamics', 'ref', path('p.parquet'));
  const rows = await parquetReadObjects({file: await asyncBufferFromFile(path('p.parquet'))});
  assert.deepEqual(rows[29], {guid: 'movie-9', epoch: 2, p_true: 0.75, correct: 1, gold: 1});
});

test('epochs that were discarded later are not written', async () => {
  const later = fake.logs.get('runs/ref')!.find(({event}) => event?.$case === 'evaluationsMade')!;
  later.event = {$case: 'epochsDiscarded', value: {firstEpoch: 1, steps: 32, reason: 'WORKER_LOST'}};
  assert.match(await done('export-dynamics', 'ref', path('p.csv')), /1 epochs of 10 instances/);
});

test('a subset is records under the names of the imported columns, in the order of the data set', async () => {
  assert.match(await done('export-subset', 'm', path('s.jsonl')), /s\.jsonl: 3 of 10 instances/);
  const lines = (await readFile(path('s.jsonl'), 'utf8')).trimEnd().split('\n');
  assert.deepEqual(
    lines.map(line => JSON.parse(line)),
    [
      {uid: 'movie-7', review: 'Said "7",\nthen went', sentiment: 'positive'},
      {uid: 'movie-8', review: 'Said "8",\nthen went', sentiment: 'negative'},
      {uid: 'movie-9', review: 'Said "9",\nthen went', sentiment: 'positive'},
    ],
  );
  const split = fake.datasets.get('datasets/demo')!.splits[0];
  split.columns = {text: '1', textPair: '', label: '0', id: ''};
  await done('export-subset', 'm', path('s.jsonl'));
  const [record] = (await readFile(path('s.jsonl'), 'utf8')).split('\n');
  assert.deepEqual(JSON.parse(record), {text: 'Said "7",\nthen went', label: 'positive'}, 'positions are no names');
});

test('with its source a subset is the lines that were imported, byte for byte', async () => {
  const rows = Array.from({length: 10}, (_, i) => `{"note": "\u2028 ${i}", "uid":"movie-${i}" ,"review":"x"}\r`);
  await writeFile(path('a.jsonl'), `${rows.slice(0, 8).join('\n')}\n\n{"uid": "filtered out"}\n`);
  await writeFile(path('b.jsonl.gz'), gzipSync(rows.slice(8).join('\n')));
  await done('export-subset', 'm', path('s.jsonl'), '--source', path('a.jsonl'), path('b.jsonl.gz'));
  assert.equal(await readFile(path('s.jsonl'), 'utf8'), `${rows.slice(7).join('\n')}\n`);
  const other = ['export-subset', 'm', path('t.jsonl'), '--source', path('a.jsonl')];
  await failed(/must be the files that the split was imported from, 8 of its 10 instances/, ...other);
  const split = fake.datasets.get('datasets/demo')!.splits[0];
  split.columns!.id = '';
  await failed(/9 of its 10 instances were found/, ...other);
  assert.ok(!(await readdir(folder)).includes('t.jsonl'));
});

test('a source of cells becomes records of all its columns, without a header row under their positions', async () => {
  const cells = Array.from({length: 10}, (_, i) => ['positive', `"text", ${i}`, `movie-${i}`]);
  const csv = cells.map(([label, text, id]) => `${label},"${text.replaceAll('"', '""')}",${id}\r\n`).join('');
  await writeFile(path('a.csv'), csv);
  fake.datasets.get('datasets/demo')!.splits[0].columns = {text: '1', textPair: '', label: '0', id: '2'};
  await done('export-subset', 'm', path('s.jsonl'), '--no-header', '--source', path('a.csv'));
  assert.equal(
    await readFile(path('s.jsonl'), 'utf8'),
    [7, 8, 9].map(i => `{"0": "positive", "1": "\\"text\\", ${i}", "2": "movie-${i}"}\n`).join(''),
  );
  await writeFile(path('broken.csv'), `${csv}positive,"open,movie-10\n`);
  await failed(
    /broken\.csv, line 11: .*a quote is opened/,
    'export-subset',
    'm',
    path('t.jsonl'),
    '--source',
    path('broken.csv'),
  );
  await writeFile(path('short.tsv'), 'label\ttext\tid\npositive\tx\n');
  await failed(
    /line 2: expected 3 cells, found 2/,
    'export-subset',
    'm',
    path('t.jsonl'),
    '--source',
    path('short.tsv'),
  );
  assert.ok(!(await readdir(folder)).includes('t.jsonl'));
});

test('a file whose ending says nothing, and a map without a data set, are refused', async () => {
  await failed(/its name must end in \.jsonl, \.csv, \.parquet/, 'export-map', 'm', path('m.txt'));
  await failed(/its name must end in \.jsonl/, 'export-subset', 'm', path('m.csv'));
  await failed(/its name must end in \.csv, \.parquet/, 'export-dynamics', 'ref', path('p.jsonl'));
  fake.maps.get('dataMaps/m')!.dataset = '';
  await failed(/its run must be of a data set/, 'export-subset', 'm', path('m.jsonl'));
  await mkdir(path('folder.csv'));
  const {exitCode, err} = await run(fake.address, ['export-map', 'm', path('folder.csv')]);
  assert.equal(exitCode, 1);
  assert.match(err, /directory/);
  assert.deepEqual(await readdir(folder), ['folder.csv']);
  await rm(folder, {recursive: true});
});
