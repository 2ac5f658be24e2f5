// What validate_only says that a run will take, beside what it then takes: a row a model and a data set. Each has a server of its own, so that the
// rates are of steps made for the estimate and not of a run before.
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {connect} from '../src/cli/connect.js';
import {waitForRun} from '../src/cli/follow-run.js';
import {seconds} from '../src/cli/format.js';
import {importBytes} from '../src/cli/import-file.js';
import {startServer} from '../src/cli/server-process.js';
import {FileFormat} from '../src/server/gen/ftft/v1/dataset.js';
import type {FtftServiceClient} from '../src/server/gen/ftft/v1/ftft_service.js';
import {Precision} from '../src/server/gen/ftft/v1/run.js';
import {classNames} from './recipe.js';
import {type Measurement, measured, type Row} from './report/results.js';
import {targets} from './targets.js';

interface Case {
  title: string;
  layers: number;
  precision: Precision;
  numTrain: number;
  numTest: number;
}

const cases: Case[] = [
  {
    title: 'MiniLM, first 3 layers, float32',
    layers: 3,
    precision: Precision.PRECISION_FLOAT32,
    numTrain: 400,
    numTest: 200,
  },
  {title: 'MiniLM, float32', layers: 0, precision: Precision.PRECISION_FLOAT32, numTrain: 600, numTest: 100},
  {title: 'MiniLM, bfloat16', layers: 0, precision: Precision.PRECISION_BFLOAT16, numTrain: 1200, numTest: 400},
];
const epochs = 2;
const batchSize = 32;
const {signal} = new AbortController();

/** scale: of the numbers of instances. */
export async function benchCost(dataFolder: string, {scale}: {scale: number}): Promise<Measurement> {
  const rows: Row[] = [];
  const notes: Record<string, string> = {};
  for (const one of cases) {
    const sized = {...one, numTrain: Math.round(scale * one.numTrain), numTest: Math.round(scale * one.numTest)};
    const {predicted, took, flopsRatio} = await withServer(client => predictAndTrain(client, dataFolder, sized));
    const what = `${one.title}, ${sized.numTrain} instances, ${epochs} epochs`;
    const value = 100 * Math.abs(predicted / took - 1);
    rows.push({
      what,
      ours: measured('predicted', [predicted]),
      peer: measured('measured', [took]),
      figure: {name: 'off by', value, unit: 'percent', target: targets.cost},
    });
    notes[what] = `predicted operations over counted ones: ${flopsRatio.toFixed(4)}`;
  }
  return {title: 'Cost of a run as validate_only tells it beforehand, beside what it took', rows, notes, versions: {}};
}

async function withServer<T>(work: (client: FtftServiceClient) => Promise<T>): Promise<T> {
  const dataDir = mkdtempSync(join(tmpdir(), 'ftft-bench-'));
  const ports = {FTFT_GRPC_PORT: '0', FTFT_HTTP_PORT: '0', FTFT_HEALTH_PORT: '0'};
  const server = await startServer({...process.env, ...ports, FTFT_DATA_DIR: dataDir, FTFT_OFFLINE: '1'});
  const {client, close} = connect(server.address);
  try {
    return await work(client);
  } finally {
    close();
    await server.stop();
    rmSync(dataDir, {recursive: true, force: true});
  }
}

async function predictAndTrain(
  client: FtftServiceClient,
  dataFolder: string,
  {layers, precision, numTrain, numTest}: Case,
): Promise<{predicted: number; took: number; flopsRatio: number}> {
  await importLines(client, join(dataFolder, 'train.jsonl'), 'train', numTrain);
  await importLines(client, join(dataFolder, 'test_movie.jsonl'), 'test', numTest);
  const spec = {
    dataset: 'datasets/bench',
    model: 'minilm-l6',
    layers,
    precision,
    epochs,
    batchSize,
    learningRate: 5e-5,
  };
  const {run: expected} = await client.trainReference({spec, validateOnly: true});
  const {acceleratorTime, flops = 0, note} = expected?.costEstimate ?? {};
  if (!acceleratorTime) throw new Error(`Nothing was predicted: ${note}`);
  const {run} = await client.trainReference({spec});
  const {cost} = await waitForRun(client, run!, () => {}, signal);
  return {
    predicted: seconds(acceleratorTime),
    took: seconds(cost?.acceleratorTime),
    flopsRatio: flops / (cost?.flops ?? 0),
  };
}

async function importLines(client: FtftServiceClient, file: string, split: string, count: number): Promise<void> {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, count);
  const header = {
    ...{dataset: 'datasets/bench', split, format: FileFormat.FILE_FORMAT_JSONL},
    columns: {text: 'text', label: 'label', id: 'uid'},
    classLabels: classNames.map(className => ({name: className})),
  };
  async function* bytes() {
    yield Buffer.from(`${lines.join('\n')}\n`);
  }
  await importBytes(client, header, bytes(), signal);
}
