// Time of an epoch of a real run while hundreds of subscribers follow it, half of them slowly, beside the same run's epochs alone.
import {setMaxListeners} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type Channel, createChannel, createClient} from 'nice-grpc';
import {connect} from '../src/cli/connect.js';
import {startServer} from '../src/cli/server-process.js';
import {StreamDynamicsRequest_StartPosition} from '../src/server/gen/ftft/v1/dynamics.js';
import {type FtftServiceClient, FtftServiceDefinition} from '../src/server/gen/ftft/v1/ftft_service.js';
import {importTraining} from './latency.js';
import {type Measurement, measured} from './report/results.js';
import {percentile} from './statistics.js';
import {targets} from './targets.js';

export interface SubscribersOptions {
  subscribers: number;
  /** Epochs of each kind. */
  rounds: number;
  instances: number;
}

const streamsPerChannel = 50;
/** Between two messages that a slow subscriber takes: an epoch brings more. */
const slowPauseMs = 5000;

export async function benchSubscribers(dataFolder: string, options: SubscribersOptions): Promise<Measurement> {
  const {subscribers, rounds, instances} = options;
  const dataDir = mkdtempSync(join(tmpdir(), 'ftft-bench-'));
  const ports = {FTFT_GRPC_PORT: '0', FTFT_HTTP_PORT: '0', FTFT_HEALTH_PORT: '0'};
  const server = await startServer({...process.env, ...ports, FTFT_DATA_DIR: dataDir, FTFT_OFFLINE: '1'});
  const {client, close} = connect(server.address);
  const followed: number[] = [];
  const alone: number[] = [];
  let crowd: Crowd | undefined;
  try {
    const dataset = await importTraining(client, dataFolder, instances);
    // One that changes hands comes before each that counts, and one more warms up.
    const spec = {dataset, model: 'minilm-l6', layers: 3, epochs: 4 * rounds + 1, batchSize: 32, learningRate: 5e-5};
    const {name} = (await client.trainReference({spec})).run!;
    let startedAt = 0;
    const delays: number[] = [];
    for await (const {event, eventTime} of client.streamDynamics({name})) {
      if (event?.$case === 'epochStarted') startedAt = eventTime!.getTime();
      if (event?.$case !== 'epochCommitted') continue;
      const seconds = (eventTime!.getTime() - startedAt) / 1000;
      const {epoch} = event.value;
      if (epoch > 0 && epoch % 2 === 0) (crowd ? followed : alone).push(seconds);
      if (epoch % 2 !== 0) continue;
      delays.push(...(crowd?.delays ?? []));
      crowd = crowd ? crowd.leave() : new Crowd(server.address, name, subscribers);
    }
    const run = await client.getRun({name});
    if (followed.length !== rounds) throw new Error(`The run did not go to its end: ${run.error?.message}`);
    const [ours, other] = [measured('followed', followed), measured('alone', alone)];
    const figure = {name: 'followed / alone', value: ours.median / other.median, unit: 'times'} as const;
    const what = `an epoch of ${instances} instances, MiniLM's first 3 layers; ${subscribers} subscribers, half of them slow`;
    const after = (share: number) => `${(1000 * percentile(delays, share)).toFixed(0)} ms`;
    const notes = {'from commit to a subscriber that reads': `median ${after(0.5)}, 99th percentile ${after(0.99)}`};
    const row = {what, ours, peer: other, figure: {...figure, target: targets.subscribers}};
    return {title: 'Training while subscribers follow', rows: [row], notes, versions: {}};
  } finally {
    crowd?.leave();
    close();
    await server.stop();
    rmSync(dataDir, {recursive: true, force: true});
  }
}

/** Subscribers of one run, every other one slow, each with no more than its share of a connection. */
class Crowd {
  /** Seconds from commit to a quick subscriber. */
  readonly delays: number[] = [];
  private readonly channels: Channel[] = [];
  private readonly left = new AbortController();

  constructor(address: string, name: string, size: number) {
    setMaxListeners(size, this.left.signal);
    for (let i = 0; i < size; i += streamsPerChannel) {
      const channel = createChannel(address, undefined, {'grpc.use_local_subchannel_pool': 1});
      this.channels.push(channel);
      const client = createClient(FtftServiceDefinition, channel);
      const isSlow = (i / streamsPerChannel) % 2 === 1;
      for (let j = i; j < Math.min(size, i + streamsPerChannel); j++)
        this.follow(client, name, isSlow).catch((error: unknown) => {
          if (!this.left.signal.aborted) throw error;
        });
    }
  }

  leave(): undefined {
    this.left.abort();
    for (const channel of this.channels) channel.close();
  }

  private async follow(client: FtftServiceClient, name: string, isSlow: boolean): Promise<void> {
    const value = StreamDynamicsRequest_StartPosition.START_POSITION_LAST_COMMITTED_EPOCH;
    const start = {$case: 'position', value} as const;
    for await (const {event, eventTime} of client.streamDynamics({name, start}, {signal: this.left.signal})) {
      if (isSlow) await new Promise(resolve => setTimeout(resolve, slowPauseMs));
      else if (event?.$case === 'epochCommitted') this.delays.push((Date.now() - eventTime!.getTime()) / 1000);
    }
  }
}
