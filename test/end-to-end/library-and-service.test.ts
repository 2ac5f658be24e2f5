// The library and the service are one method: the same texts, options and seed give the same map, subset and weights.
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {join} from 'node:path';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {readConfig} from '../../src/config.js';
import {openSafetensors} from '../../src/data/safetensors.js';
import type {Example} from '../../src/data/types.js';
import {type FtftOptions, ftft, type Task} from '../../src/pipeline/ftft.js';
import type {FtftServiceClient} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {runJson} from '../cli/support/terminal.js';
import {startServer, withFolder} from '../support/server-process.js';
import {firstLines, importSentiment, smallSpec, waitForEnd} from '../support/small-run.js';

const [numTrain, numTest] = [96, 32];

test('ftft() and the four RPCs give the same map, the same subset and the same weights', async () => {
  const library = await runLibrary();
  const service = await withFolder(async folder => {
    const server = await startServer(folder);
    try {
      return await runService(server.client, server.address, folder);
    } finally {
      await server.stop();
    }
  });
  assert.equal(service.confidence, library.confidence);
  assert.equal(service.variability, library.variability);
  assert.deepEqual(service.selected, library.selected);
  assert.ok(library.selected.length > 20, `${library.selected.length} instances are selected`);
  assert.equal(service.accuracy, library.accuracy);
  assert.deepEqual(service.weights, library.weights);
});

async function runLibrary() {
  const model = {
    folder: join(readConfig(process.env).modelDir, 'minilm-l6'),
    layers: 2,
    maxLength: 32,
    epochs: 3,
    batchSize: 16,
    learningRate: 5e-5,
    warmupRatio: 0.1,
    weightDecay: 0,
    seed: 7,
  };
  const options: FtftOptions = {
    reference: model,
    main: {...model, layers: 3, stepFraction: 1 / 3},
    selection: {criterion: {region: 'ambiguous'}, fraction: 0.33, rule: 'upstream-quantile', seed: 0},
    variabilityEstimator: 'sample',
  };
  const task: Task = {
    classNames: ['negative', 'positive'],
    train: examples('train.jsonl', numTrain),
    evaluationSets: [{split: 'ood_tweets', isOutOfDistribution: true, examples: examples('ood_tweets.jsonl', numTest)}],
  };
  const stages = ftft(task, options);
  let step = await stages.next();
  while (!step.done) step = await stages.next();
  const {dataMap, subset, evaluations, main} = step.value;
  const weights = main.weights().map(({name, read}) => `${name} ${hash(read())}`);
  main.dispose();
  return {
    confidence: hash(dataMap!.confidence),
    variability: hash(dataMap!.variability),
    selected: [...subset!.instances],
    accuracy: evaluations[0].accuracy,
    weights,
  };
}

async function runService(client: FtftServiceClient, address: string, folder: string) {
  await importSentiment(client, numTrain, numTest);
  await client.trainReference({runId: 'reference', spec: smallSpec});
  await waitForEnd(client, 'runs/reference');
  const {dataMap} = await client.buildDataMap({run: 'runs/reference'});
  await checkRoundTrip(address, folder, dataMap!.digest);
  const blocks = [];
  for await (const {block} of client.readDataMap({name: dataMap!.name})) blocks.push(block!);
  const bits = Buffer.concat(blocks.map(block => block.selected));
  const selected = Array.from({length: numTrain}, (_, i) => i).filter(i => (bits[i >> 3] >> (i & 7)) & 1);
  await client.fineTuneMain({runId: 'main', dataMap: dataMap!.name, spec: {...smallSpec, layers: 3}});
  const main = await waitForEnd(client, 'runs/main');
  assert.equal(main.error, undefined);
  return {
    confidence: hash(Buffer.concat(blocks.map(block => block.confidence))),
    variability: hash(Buffer.concat(blocks.map(block => block.variability))),
    selected,
    accuracy: main.evaluations[0].accuracy,
    weights: storedWeights(main.modelUri),
  };
}

/** What cartography would read of the run gives, imported, the run's own map to the last bit. */
async function checkRoundTrip(address: string, folder: string, digest: string): Promise<void> {
  const ftft = (...args: string[]) => runJson(address, args);
  await ftft('export-dynamics', 'reference', join(folder, 'logs'));
  const {run: imported} = await ftft('import-dynamics', join(folder, 'logs'), '--dataset', 'sentiment');
  assert.equal((await ftft('build-data-map', imported.name)).digest, digest);
}

function storedWeights(modelUri: string): string[] {
  const tensors = openSafetensors(join(fileURLToPath(modelUri), 'model.safetensors'));
  return [...tensors.values()].map(({name, read}) => `${name} ${hash(read())}`);
}

const examples = (file: string, count: number): Example[] =>
  firstLines(file, count).map(line => {
    const {uid, text, label} = JSON.parse(line);
    return {uid, text, label: label === 'positive' ? 1 : 0};
  });

const hash = (values: Uint8Array | Float32Array): string =>
  createHash('sha256')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex');
