// Round trips of Health and GetRun over gRPC while a real run trains, one call after the other: a row a call.
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createChannel, createClient} from 'nice-grpc';
import {HealthDefinition} from 'nice-grpc-server-health';
import {connect} from '../src/cli/connect.js';
import {importBytes} from '../src/cli/import-file.js';
import {startServer} from '../src/cli/server-process.js';
import {FileFormat} from '../src/server/gen/ftft/v1/dataset.js';
import type {FtftServiceClient} from '../src/server/gen/ftft/v1/ftft_service.js';
import {type Run, Run_State} from '../src/server/gen/ftft/v1/run.js';
import {classNames} from './recipe.js';
import {type Measurement, measured, type Row} from './report/results.js';
import {percentile} from './statistics.js';
import {secondsOf} from './take-turns.js';
import {targets} from './targets.js';

/** Between two calls, so that they spread over many training steps. */
const pauseMs = 20;
/** Calls go on until the run has made this many steps under them. */
const leastSteps = 20;
const pollMs = 250;
/** Before the runner has stepped for the first time: model and data are loaded and tokenised. */
const startWithinMs = 300_000;
const numTrain = 4000;

export async function benchLatency(dataFolder: string, {calls}: {calls: number}): Promise<Measurement> {
  const dataDir = mkdtempSync(join(tmpdir(), 'ftft-bench-'));
  const ports = {FTFT_GRPC_PORT: '0', FTFT_HTTP_PORT: '0', FTFT_HEALTH_PORT: '0'};
  const server = await startServer({...process.env, ...ports, FTFT_DATA_DIR: dataDir, FTFT_OFFLINE: '1'});
  const {client, close} = connect(server.address);
  const channel = createChannel(server.address);
  try {
    const health = createClient(HealthDefinition, channel);
    const began = await startRun(client, dataFolder);
    const {name} = began;
    const times = {Health: [] as number[], GetRun: [] as number[]};
    let steps = 0;
    while (times.Health.length < calls || steps < leastSteps) {
      times.Health.push(await secondsOf(() => health.check({service: ''})));
      let seen = began;
      times.GetRun.push(
        await secondsOf(async () => {
          seen = await client.getRun({name});
        }),
      );
      if (seen.state !== Run_State.STATE_RUNNING)
        throw new Error('The run ended before the last call: ask for fewer --calls');
      steps = seen.progress!.steps - began.progress!.steps;
      await pause(pauseMs);
    }
    await client.cancelRun({name});
    return measurementOf(times, steps);
  } finally {
    close();
    channel.close();
    await server.stop();
    rmSync(dataDir, {recursive: true, force: true});
  }
}

/** All layers, batches of 32, for longer than the calls take; gives the run after its first step. */
async function startRun(client: FtftServiceClient, dataFolder: string): Promise<Run> {
  const dataset = await importTraining(client, dataFolder, numTrain);
  const spec = {dataset, model: 'minilm-l6', epochs: 50, batchSize: 32, learningRate: 5e-5};
  const {run} = await client.trainReference({spec});
  const startedAt = performance.now();
  for (;;) {
    const seen = await client.getRun({name: run!.name});
    if (seen.state === Run_State.STATE_FAILED) throw new Error(`The run failed: ${seen.error?.message}`);
    if ((seen.progress?.steps ?? 0) > 0) return seen;
    if (performance.now() - startedAt > startWithinMs) throw new Error('The run has made no step in five minutes');
    await pause(pollMs);
  }
}

/** The first instances of the demo's training split, as a data set of this name. */
export async function importTraining(client: FtftServiceClient, dataFolder: string, count: number): Promise<string> {
  const lines = readFileSync(join(dataFolder, 'train.jsonl'), 'utf8').split('\n').slice(0, count);
  const header = {
    dataset: 'datasets/bench',
    split: 'train',
    format: FileFormat.FILE_FORMAT_JSONL,
    columns: {text: 'text', label: 'label', id: 'uid'},
    classLabels: classNames.map(className => ({name: className})),
  };
  async function* bytes() {
    yield Buffer.from(`${lines.join('\n')}\n`);
  }
  await importBytes(client, header, bytes(), new AbortController().signal);
  return header.dataset;
}

function measurementOf(times: Record<string, number[]>, steps: number): Measurement {
  const rows = Object.entries(times).map(([call, values]): Row => {
    const value = percentile(values, 0.99);
    const figure = {name: '99th percentile', value, unit: 's', target: targets.latency} as const;
    return {what: `${call}, ${values.length} calls`, ours: measured(call, values), figure};
  });
  const notes = {meanwhile: `the run made ${steps} steps`};
  return {title: 'Round trips over gRPC while a run trains', rows, notes, versions: {}};
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));
