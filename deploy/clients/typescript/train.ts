// Trains a reference, watches it through lost connections, maps the data and fine-tunes on the ambiguous third.
//
//   npx tsx train.ts HOST:PORT DATASET MODEL          TLS with FTFT_CA_FILE, a token in FTFT_TOKEN
import {readFileSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import {ChannelCredentials, ClientError, createChannel, createClientFactory, Metadata, Status} from 'nice-grpc';
import {Region, Selection_Rule} from './gen/ftft/v1/data_map.js';
import {type FtftServiceClient, FtftServiceDefinition} from './gen/ftft/v1/ftft_service.js';
import {type Run, Run_State} from './gen/ftft/v1/run.js';

const {FTFT_CA_FILE: caFile, FTFT_TOKEN: token} = process.env;
const terminal = [Run_State.STATE_SUCCEEDED, Run_State.STATE_FAILED, Run_State.STATE_CANCELLED];

function connect(address: string): FtftServiceClient {
  const credentials = caFile ? ChannelCredentials.createSsl(readFileSync(caFile)) : ChannelCredentials.createInsecure();
  const backoff = {'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 2000};
  const metadata = token ? Metadata({authorization: `Bearer ${token}`}) : Metadata();
  return createClientFactory().create(FtftServiceDefinition, createChannel(address, credentials, backoff), {'*': {metadata}});
}

/** Sleeps where the server restarts, drains or found us slow; throws every other error. */
async function goOnAfter(error: unknown): Promise<void> {
  if (!(error instanceof ClientError && [Status.UNAVAILABLE, Status.ABORTED].includes(error.code))) throw error;
  console.error('connection lost, going on');
  await sleep(200);
}

/** Epochs as they are committed; after a lost connection the stream goes on behind the last event. */
async function watch(service: FtftServiceClient, name: string): Promise<{run: Run; epochs: Map<number, number>}> {
  const epochs = new Map<number, number>();
  let resumeToken = '';
  let pTrue: number[] = [];
  while (true) {
    try {
      for await (const message of service.streamDynamics({name, start: {$case: 'resumeToken', value: resumeToken}})) {
        const {event} = message;
        if (event?.$case === 'epochStarted') pTrue = [];
        // Little-endian float32, one an instance; the copy gives the alignment that a view needs.
        if (event?.$case === 'chunk') pTrue.push(...new Float32Array(Uint8Array.from(event.value.pTrue).buffer));
        // Only now is the epoch whole.
        if (event?.$case === 'epochCommitted') {
          const mean = pTrue.reduce((sum, p) => sum + p, 0) / pTrue.length;
          epochs.set(event.value.epoch, mean);
          console.log(`epoch ${event.value.epoch}: mean p_true ${mean.toFixed(4)}`);
        }
        // A worker was lost: these epochs will come again.
        if (event?.$case === 'epochsDiscarded')
          for (const epoch of [...epochs.keys()]) if (epoch >= event.value.firstEpoch) epochs.delete(epoch);
        if (event?.$case === 'completed') return {run: event.value.run!, epochs};
        resumeToken = message.resumeToken;
      }
    } catch (error) {
      await goOnAfter(error);
    }
  }
}

async function wait(service: FtftServiceClient, queued: Run): Promise<Run> {
  let run = queued;
  while (!terminal.includes(run.state))
    run = await service.waitRun({name: run.name, etag: run.etag}).catch(async error => {
      await goOnAfter(error);
      return run;
    });
  return run;
}

const [address, dataset, model] = process.argv.slice(2);
const service = connect(address);
const spec = {dataset, model, epochs: 3, batchSize: 8, learningRate: 1e-3, maxLength: 16};
const queued = (await service.trainReference({spec})).run!;
const {run: reference, epochs} = await watch(service, queued.name);
console.log(`reference: ${Run_State[reference.state]}, ${epochs.size} epochs`);

const criterion = {$case: 'region', value: Region.REGION_AMBIGUOUS} as const;
const selection = {criterion, fraction: 0.33, rule: Selection_Rule.RULE_RANK};
const dataMap = (await service.buildDataMap({run: reference.name, selection})).dataMap!;
console.log(`map: ${dataMap.selectedCount} of ${dataMap.instanceCount} selected`);

const main = await wait(service, (await service.fineTuneMain({dataMap: dataMap.name, spec})).run!);
console.log(`main: ${Run_State[main.state]}, ${main.progress?.steps} steps`);
process.exit(0);
