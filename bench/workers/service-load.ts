// A job in the first argument; the service is called as it says, and the answer is one line of JSON on stdout.

import {setTimeout as sleep} from 'node:timers/promises';
import {ChannelCredentials, Client, type ClientReadableStream, type StatusObject} from '@grpc/grpc-js';
import {DynamicsView, StreamDynamicsRequest, StreamDynamicsResponse} from '../../src/server/gen/ftft/v1/dynamics.js';
import {GetRunRequest} from '../../src/server/gen/ftft/v1/ftft_service.js';
import type {
  CallsAnswer,
  CallsJob,
  FollowAnswer,
  FollowJob,
  Job,
  ReplayAnswer,
  ReplayJob,
  StallAnswer,
  StallJob,
} from '../service/jobs.js';
import {percentile} from '../statistics.js';

const service = '/ftft.v1.FtftService';
/** Of one connection, where as many calls are made as go. */
const callsAtOnce = 8;
const now = () => performance.now() / 1000;

/** A connection of its own. */
const connect = (address: string): Client =>
  new Client(address, ChannelCredentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': -1,
  });

function getRun(client: Client, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const encode = (request: GetRunRequest) => Buffer.from(GetRunRequest.encode(request).finish());
    client.makeUnaryRequest(
      `${service}/GetRun`,
      encode,
      bytes => bytes,
      {name},
      error => (error ? reject(error) : resolve()),
    );
  });
}

/** Messages as bytes: to read them is not what is timed. */
function stream(client: Client, request: Partial<StreamDynamicsRequest>): ClientReadableStream<Buffer> {
  const encode = (value: StreamDynamicsRequest) => Buffer.from(StreamDynamicsRequest.encode(value).finish());
  const whole = StreamDynamicsRequest.fromPartial(request);
  return client.makeServerStreamRequest(`${service}/StreamDynamics`, encode, bytes => bytes, whole);
}

async function calls({address, run, rate, seconds, connections}: CallsJob): Promise<CallsAnswer> {
  const clients = Array.from({length: connections}, () => connect(address));
  await Promise.all(clients.map(client => getRun(client, run)));
  const times: number[] = [];
  const began = now();
  const timed = async (client: Client, due: number) => {
    await getRun(client, run);
    times.push(now() - due);
  };
  if (rate === 0)
    await Promise.all(
      clients.flatMap(client =>
        Array.from({length: callsAtOnce}, async () => {
          while (now() - began < seconds) await timed(client, now());
        }),
      ),
    );
  else {
    const open: Promise<void>[] = [];
    // A call that is begun late was due all the same: its wait counts.
    for (let i = 0; i < rate * seconds; ) {
      for (; i < rate * seconds && began + i / rate <= now(); i++)
        open.push(timed(clients[i % connections], began + i / rate));
      await sleep(1);
    }
    await Promise.all(open);
  }
  const taken = now() - began;
  for (const client of clients) client.close();
  const [median, least, p99] = [percentile(times, 0.5), Math.min(...times), percentile(times, 0.99)];
  return {median, least, p99, count: times.length, perSecond: times.length / taken};
}

async function replay({address, run, readers, seconds}: ReplayJob): Promise<ReplayAnswer> {
  let [bytes, replays] = [0, 0];
  const began = now();
  const read = async () => {
    const client = connect(address);
    while (now() - began < seconds) {
      const messages = stream(client, {name: run, view: DynamicsView.DYNAMICS_VIEW_FULL, noFollow: true});
      for await (const message of messages) bytes += (message as Buffer).length;
      replays++;
    }
    client.close();
  };
  await Promise.all(Array.from({length: readers}, read));
  return {bytes, seconds: now() - began, replays};
}

async function follow({address, run, readers, epochs}: FollowJob): Promise<FollowAnswer> {
  const seconds: number[] = [];
  const read = async () => {
    const client = connect(address);
    const position = {$case: 'position', value: 2} as const;
    let numSeen = 0;
    for await (const bytes of stream(client, {name: run, start: position})) {
      const at = Date.now();
      const {event, eventTime} = StreamDynamicsResponse.decode(bytes as Buffer);
      if (event?.$case !== 'epochCommitted') continue;
      seconds.push((at - eventTime!.getTime()) / 1000);
      if (++numSeen === epochs) break;
    }
    client.close();
  };
  await Promise.all(Array.from({length: readers}, read));
  return {seconds};
}

async function stall({address, run, seconds}: StallJob): Promise<StallAnswer> {
  const client = connect(address);
  const messages = stream(client, {name: run, view: DynamicsView.DYNAMICS_VIEW_FULL});
  let status: number | undefined;
  messages.on('error', () => {});
  messages.on('status', ({code}: StatusObject) => {
    status = code;
  });
  // What arrives is asked for by nobody.
  messages.pause();
  await sleep(seconds * 1000);
  messages.cancel();
  client.close();
  return {status};
}

const job = JSON.parse(process.argv[2]) as Job;
const answer =
  job.do === 'calls'
    ? await calls(job)
    : job.do === 'replay'
      ? await replay(job)
      : job.do === 'follow'
        ? await follow(job)
        : await stall(job);
process.stdout.write(`${JSON.stringify(answer)}\n`);
