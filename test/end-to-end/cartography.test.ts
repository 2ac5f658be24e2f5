// Dynamics recorded with allenai/cartography, through the real server and back: what its plotting script reads is what it wrote, and its
// metrics are the map's.
import assert from 'node:assert/strict';
import {mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {gzipSync} from 'node:zlib';
import {permutation, randomStream} from '../../src/random.js';
import {run, runJson} from '../cli/support/terminal.js';
import {type ServerProcess, startServer, temporaryFolder} from '../support/server-process.js';

const [numInstances, numEpochs, numClasses] = [300, 5, 3];
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

interface Learning {
  gold: number;
  /** [epoch][class]. */
  logits: number[][];
}

/** Instances of every kind: learnt early, late, never, forgotten again. */
function learning(): Map<number, Learning> {
  const random = randomStream(5, 'data');
  const guids = Array.from({length: numInstances}, () => Math.floor(random() * 2 ** 50));
  return new Map(
    guids.map(guid => {
      const gold = Math.floor(random() * numClasses);
      const [start, pace] = [random() * 6 - 4, random() * 2 - 0.3];
      const logits = Array.from({length: numEpochs}, (_, epoch) =>
        Array.from({length: numClasses}, (_, c) => random() * 2 + (c === gold ? start + pace * epoch : 0)),
      );
      return [guid, {gold, logits}];
    }),
  );
}

/** Ten decimals, each epoch in its own order: as pandas writes what a shuffled epoch logged. */
function writeLogs(
  model: string,
  instances: Map<number, Learning>,
  guidOf: (guid: number) => unknown = guid => guid,
): void {
  const logs = join(folder, model, 'training_dynamics');
  mkdirSync(logs, {recursive: true});
  const guids = [...instances.keys()];
  for (let epoch = 0; epoch < numEpochs; epoch++) {
    const lines = [...permutation(numInstances, randomStream(epoch, 'order'))].map(i => {
      const {gold, logits} = instances.get(guids[i])!;
      const rounded = logits[epoch].map(logit => Number(logit.toFixed(10)));
      return `${JSON.stringify({guid: guidOf(guids[i]), [`logits_epoch_${epoch}`]: rounded, gold})}\n`;
    });
    writeFileSync(join(logs, `dynamics_epoch_${epoch}.jsonl`), lines.join(''));
  }
}

/** By cartography's rules: every file of the folder is an epoch, and no guid is new after the first. */
function readAsCartography(model: string): Map<unknown, Learning> {
  const logs = join(folder, model, 'training_dynamics');
  const found = new Map<unknown, Learning>();
  for (let epoch = 0; epoch < readdirSync(logs).length; epoch++)
    for (const line of readFileSync(join(logs, `dynamics_epoch_${epoch}.jsonl`), 'utf8')
      .trimEnd()
      .split('\n')) {
      const record = JSON.parse(line);
      if (!found.has(record.guid)) {
        assert.equal(epoch, 0, 'a guid that is new');
        found.set(record.guid, {gold: record.gold, logits: []});
      }
      found.get(record.guid)!.logits.push(record[`logits_epoch_${epoch}`]);
    }
  return found;
}

/** By the formulas of Swayamdipta et al. 2020, in doubles. */
function metricsOf({gold, logits}: Learning) {
  const pTrue = logits.map(row => {
    const exponentials = row.map(logit => Math.exp(logit));
    return exponentials[gold] / exponentials.reduce((a, b) => a + b);
  });
  const confidence = pTrue.reduce((a, b) => a + b) / pTrue.length;
  const variability = Math.sqrt(pTrue.reduce((sum, p) => sum + (p - confidence) ** 2, 0) / pTrue.length);
  const isRight = logits.map(row => row.indexOf(Math.max(...row)) === gold);
  const timesForgotten = isRight.filter((right, epoch) => !right && isRight[epoch - 1]).length;
  const correctness = isRight.filter(Boolean).length;
  return {confidence, variability, correctness, forgetfulness: correctness === 0 ? 1000 : timesForgotten};
}

test('logs go in, a map comes out, and what is exported is to cartography what it logged', async () => {
  const instances = learning();
  writeLogs('roberta', instances);
  const {run: imported} = await ftft(
    'import-dynamics',
    path('roberta'),
    '--model',
    'roberta-large',
    '--run-id',
    'roberta',
  );
  assert.deepEqual(
    [imported.kind, imported.state, imported.spec.epochs],
    ['KIND_IMPORTED', 'STATE_SUCCEEDED', numEpochs],
  );
  const map = await ftft('build-data-map', 'roberta', '--estimator', 'population-stddev');
  assert.equal(Number(map.instanceCount), numInstances);

  await ftft('export-map', map.name, path('coordinates.jsonl'));
  const coordinates = readFileSync(path('coordinates.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));
  assert.deepEqual(Object.keys(coordinates[0]), [
    'guid',
    'index',
    'threshold_closeness',
    'confidence',
    'variability',
    'correctness',
    'forgetfulness',
  ]);
  const order = [...permutation(numInstances, randomStream(0, 'order'))].map(i => [...instances.keys()][i]);
  assert.deepEqual(
    coordinates.map(({guid, index}) => [guid, index]),
    order.map((guid, index) => [guid, index]),
    'in the order of the first epoch',
  );
  let numNeverRight = 0;
  for (const {guid, confidence, variability, threshold_closeness: closeness, ...counts} of coordinates) {
    const expected = metricsOf(instances.get(guid)!);
    assert.ok(Math.abs(confidence - expected.confidence) < 1e-6);
    assert.ok(Math.abs(variability - expected.variability) < 1e-6);
    assert.ok(Math.abs(closeness - expected.confidence * (1 - expected.confidence)) < 1e-6);
    assert.deepEqual([counts.correctness, counts.forgetfulness], [expected.correctness, expected.forgetfulness]);
    if (counts.forgetfulness === 1000) numNeverRight++;
  }
  assert.ok(numNeverRight > 5 && numNeverRight < numInstances / 2);

  await ftft('export-dynamics', 'roberta', path('exported'));
  const [before, exported] = [readAsCartography('roberta'), readAsCartography('exported')];
  assert.deepEqual([...exported.keys()], order);
  for (const [guid, {gold, logits}] of exported) {
    const original = before.get(guid)!;
    assert.equal(gold, original.gold);
    assert.deepEqual(
      logits.map(row => row.map(Math.fround)),
      original.logits.map(row => row.map(Math.fround)),
    );
  }
  const {run: again} = await ftft('import-dynamics', path('exported'));
  const other = await ftft('build-data-map', again.name, '--estimator', 'population-stddev');
  assert.deepEqual([other.digest, other.selectedCount], [map.digest, map.selectedCount], 'not a bit is lost');
});

test('a table of p_true goes out and in again to the same map, as CSV and as Parquet', async () => {
  const map = await ftft('build-data-map', 'roberta');
  for (const file of ['p_true.csv', 'p_true.parquet']) {
    await ftft('export-dynamics', 'roberta', path(file));
    const {run: again} = await ftft('import-dynamics', path(file));
    const other = await ftft('build-data-map', again.name);
    assert.deepEqual([other.digest, other.selectedCount], [map.digest, map.selectedCount], file);
    assert.deepEqual(other.diagnostics.labelBalance, map.diagnostics.labelBalance);
  }
});

test('with the data set that was trained on, the selected third of its own lines is a file', async () => {
  const instances = learning();
  const names = ['entailment', 'neutral', 'contradiction'];
  const lines = [...instances].map(
    ([guid, {gold}], i) =>
      `{"pairID": "${guid}x", "a": "premise ${i}", "b": "hypothesis", "gold": "${names[gold]}", "genre": ${i}}`,
  );
  writeFileSync(path('train.jsonl.gz'), gzipSync(lines.join('\n')));
  const columns = ['--text', 'a', '--text-pair', 'b', '--label', 'gold', '--id', 'pairID', '--classes', names.join()];
  await ftft('import', 'nli', 'train', path('train.jsonl.gz'), ...columns);
  // cartography numbers the classes of MNLI from contradiction.
  const turned = new Map(
    [...instances].map(([guid, {gold, logits}]) => [
      guid,
      {gold: (gold + 1) % 3, logits: logits.map(([e, n, c]) => [c, e, n])},
    ]),
  );
  writeLogs('mnli', turned, guid => `${guid}x`);
  const wrong = await run(server.address, ['import-dynamics', path('mnli'), '--dataset', 'nli']);
  assert.equal(wrong.exitCode, 2);
  assert.match(wrong.err, /class_names must be contradiction, entailment, neutral/);
  const order = ['--classes', 'contradiction,entailment,neutral'];
  const {run: imported} = await ftft('import-dynamics', path('mnli'), '--dataset', 'nli', ...order);
  const map = await ftft('build-data-map', imported.name, '--fraction', '0.33', '--rule', 'rank');
  assert.equal(map.dataset, 'datasets/nli');
  await ftft('export-subset', map.name, path('subset.jsonl'), '--source', path('train.jsonl.gz'));
  await ftft('export-subset', map.name, path('records.jsonl'));
  const subset = readFileSync(path('subset.jsonl'), 'utf8').trimEnd().split('\n');
  assert.equal(subset.length, 99);
  const positions = subset.map(line => lines.indexOf(line));
  assert.ok(
    positions.every((position, i) => position > (positions[i - 1] ?? -1)),
    'lines of the file, in its order',
  );
  const records = readFileSync(path('records.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));
  assert.deepEqual(
    records,
    subset.map(line => {
      const {genre, ...record} = JSON.parse(line);
      return record;
    }),
  );
});
