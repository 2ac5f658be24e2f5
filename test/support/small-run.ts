// A real run, small enough for a test: the real MiniLM on a few of the demo's sentences, over gRPC.
import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {readConfig} from '../../src/config.js';
import {FileFormat} from '../../src/server/gen/ftft/v1/dataset.js';
import type {DynamicsChunk, StreamDynamicsResponse} from '../../src/server/gen/ftft/v1/dynamics.js';
import type {FtftServiceClient} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {type Run, Run_State, type TrainingSpec} from '../../src/server/gen/ftft/v1/run.js';

/** Dataset `sentiment` with a train split and one split out of distribution, the first lines of the demo's files. */
export async function importSentiment(client: FtftServiceClient, numTrain: number, numTest: number): Promise<void> {
  await importLines(client, 'train', firstLines('train.jsonl', numTrain), false);
  await importLines(client, 'ood_tweets', firstLines('ood_tweets.jsonl', numTest), true);
}

export async function importLines(client: FtftServiceClient, split: string, lines: string[], isOod: boolean) {
  async function* parts() {
    yield {
      part: {
        $case: 'header' as const,
        value: {
          dataset: 'datasets/sentiment',
          split,
          outOfDistribution: isOod,
          format: FileFormat.FILE_FORMAT_JSONL,
          columns: {text: 'text', label: 'label', id: 'uid'},
          classLabels: [{name: 'negative'}, {name: 'positive'}],
        },
      },
    };
    yield {part: {$case: 'data' as const, value: Buffer.from(`${lines.join('\n')}\n`)}};
  }
  return client.importDataset(parts());
}

export function firstLines(file: string, count: number): string[] {
  const path = join(readConfig(process.env).cacheDir, 'demo-data', file);
  return readFileSync(path, 'utf8').split('\n').slice(0, count);
}

/** Two layers of the real model, 16 instances of at most 32 tokens a step. */
export const smallSpec: Partial<TrainingSpec> = {
  dataset: 'datasets/sentiment',
  model: 'minilm-l6',
  layers: 2,
  epochs: 3,
  batchSize: 16,
  maxLength: 32,
  learningRate: 5e-5,
  seed: 7,
};

const terminal = new Set([Run_State.STATE_SUCCEEDED, Run_State.STATE_FAILED, Run_State.STATE_CANCELLED]);

/** Long-polls until the condition holds; every visible change is looked at. */
export async function waitUntil(client: FtftServiceClient, name: string, holds: (run: Run) => boolean): Promise<Run> {
  let run = await client.getRun({name});
  while (!holds(run)) run = await client.waitRun({name, etag: run.etag, timeout: {seconds: 5, nanos: 0}});
  return run;
}

export const waitForEnd = (client: FtftServiceClient, name: string): Promise<Run> =>
  waitUntil(client, name, run => terminal.has(run.state));

/** What a reader knows of a run: digests of the epochs that stand, and the p_true columns behind them. */
export interface ReadDynamics {
  digests: string[];
  pTrue: Buffer[];
  sequences: number[];
  numDiscards: number;
}

/** Applies a stream's events in order, as the contract says a reader should. */
export function readDynamics(events: StreamDynamicsResponse[]): ReadDynamics {
  const read: ReadDynamics = {digests: [], pTrue: [], sequences: [], numDiscards: 0};
  let chunks: DynamicsChunk[] = [];
  for (const {event, sequence} of events) {
    if (sequence > 0) read.sequences.push(sequence);
    if (event?.$case === 'epochStarted') chunks = [];
    if (event?.$case === 'chunk') chunks.push(event.value);
    if (event?.$case === 'epochCommitted') {
      read.digests[event.value.epoch] = event.value.digest;
      read.pTrue[event.value.epoch] = Buffer.concat(chunks.map(chunk => chunk.pTrue));
      chunks = [];
    }
    if (event?.$case === 'epochsDiscarded') {
      read.numDiscards++;
      read.digests.length = Math.min(read.digests.length, event.value.firstEpoch);
      read.pTrue.length = read.digests.length;
      chunks = [];
    }
  }
  return read;
}

export async function collect(
  client: FtftServiceClient,
  request: Parameters<FtftServiceClient['streamDynamics']>[0],
): Promise<StreamDynamicsResponse[]> {
  const events: StreamDynamicsResponse[] = [];
  for await (const event of client.streamDynamics(request)) events.push(event);
  return events;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Digest of the weights that a finished run keeps. */
export const weightsDigest = (run: Run): string =>
  sha256(readFileSync(join(fileURLToPath(run.modelUri), 'model.safetensors')));
