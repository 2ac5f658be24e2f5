// Callers as the documentation asks them to be: who is not answered tries again, with the same request_id or resume token, anywhere.
import {setTimeout as sleep} from 'node:timers/promises';
import {ClientError, Status} from 'nice-grpc';
import {isTransient} from '../../src/cli/retry.js';
import type {RandomStream} from '../../src/random.js';
import type {StreamDynamicsResponse} from '../../src/server/gen/ftft/v1/dynamics.js';
import type {FtftServiceClient} from '../../src/server/gen/ftft/v1/ftft_service.js';
import type {TrainingSpec} from '../../src/server/gen/ftft/v1/run.js';

/** A client of some API that listens now. */
export type AnyClient = () => FtftServiceClient | undefined;

const retryMs = 100;
/** Nobody answers within it: another is asked. */
const callMs = 5000;

/** Names of the runs that the copies of one request were answered with. */
export async function submit(
  any: AnyClient,
  requestId: string,
  spec: Partial<TrainingSpec>,
  {copies, signal}: {copies: number; signal?: AbortSignal},
): Promise<string[]> {
  const call = async () => {
    for (;;) {
      signal?.throwIfAborted();
      try {
        const {run} = await reached(any).trainReference({requestId, spec}, {signal: AbortSignal.timeout(callMs)});
        return run!.name;
      } catch (error) {
        if (!mayRetry(error)) throw error;
        await sleep(retryMs);
      }
    }
  };
  return await Promise.all(Array.from({length: copies}, call));
}

/** Asks until it is granted, or is too late. False where it is too late. */
export async function wish(
  any: AnyClient,
  verb: 'cancelRun' | 'suspendRun' | 'resumeRun',
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  for (;;) {
    signal.throwIfAborted();
    try {
      await reached(any)[verb]({name}, {signal: AbortSignal.timeout(callMs)});
      return true;
    } catch (error) {
      if (error instanceof ClientError && error.code === Status.FAILED_PRECONDITION) return false;
      if (!mayRetry(error)) throw error;
      await sleep(retryMs);
    }
  }
}

export interface Reading {
  messages: StreamDynamicsResponse[];
  numConnections: number;
}

/** A run's log to its end; hops: leaves now and then to go on elsewhere. Throws what no reader should meet. */
export async function read(
  any: AnyClient,
  name: string,
  {hops, random, signal}: {hops: boolean; random: RandomStream; signal?: AbortSignal},
): Promise<Reading> {
  const reading: Reading = {messages: [], numConnections: 0};
  let value = '';
  for (;;) {
    signal?.throwIfAborted();
    const leave = new AbortController();
    let leaveAfter = hops ? 1 + Math.floor(30 * random()) : Number.POSITIVE_INFINITY;
    try {
      const client = reached(any);
      reading.numConnections++;
      const start = {$case: 'resumeToken' as const, value};
      const options = {signal: signal ? AbortSignal.any([leave.signal, signal]) : leave.signal};
      for await (const message of client.streamDynamics({name, start}, options)) {
        value = message.resumeToken;
        if (message.sequence > 0) reading.messages.push(message);
        if (message.event?.$case === 'completed') return reading;
        if (--leaveAfter <= 0) break;
      }
      if (leaveAfter > 0) throw new Error(`a stream of ${name} ended with OK before it was completed`);
    } catch (error) {
      signal?.throwIfAborted();
      if (!mayRetry(error)) throw error;
      await sleep(retryMs);
    } finally {
      leave.abort();
    }
  }
}

class NobodyListens extends Error {}

function reached(any: AnyClient): FtftServiceClient {
  const client = any();
  if (!client) throw new NobodyListens();
  return client;
}

/** What a caller is told to try again, and calls that died with their server. */
function mayRetry(error: unknown): boolean {
  if (error instanceof NobodyListens || isTransient(error)) return true;
  if (error instanceof Error && error.name === 'TimeoutError') return true;
  return error instanceof ClientError && error.code === Status.RESOURCE_EXHAUSTED;
}
