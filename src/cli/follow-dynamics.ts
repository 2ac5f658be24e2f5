// Run name → every event of its log, once and in order, through dropped connections and restarts of the server.

import {FtftError} from '../errors.js';
import type {StreamDynamicsRequest, StreamDynamicsResponse} from '../server/gen/ftft/v1/dynamics.js';
import type {DeepPartial, FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {Backoff} from './retry.js';

export interface FollowOptions {
  signal: AbortSignal;
  /** Told before each new try, with what ended the last one. */
  reconnecting?: (error: unknown) => void;
}

/** Yields events and marks up to `completed`. A server that cannot be reached at first is an error, one that goes away later is waited for. */
export async function* followDynamics(
  client: FtftServiceClient,
  request: DeepPartial<StreamDynamicsRequest>,
  options: FollowOptions,
): AsyncGenerator<StreamDynamicsResponse> {
  const {signal} = options;
  const backoff = new Backoff();
  let start = request.start;
  let lastSequence = 0;
  while (true) {
    let failure: unknown;
    let isAnswered = false;
    try {
      for await (const message of client.streamDynamics({...request, start}, {signal})) {
        backoff.succeeded();
        isAnswered = true;
        // Across reconnects the service delivers at least once: what was seen is skipped here.
        const isNew = message.sequence === 0 || message.sequence > lastSequence;
        if (isNew) yield message;
        if (message.event?.$case === 'completed') return;
        lastSequence = Math.max(lastSequence, message.sequence);
        if (message.resumeToken) start = {$case: 'resumeToken', value: message.resumeToken};
      }
      if (request.noFollow) return;
      failure = new FtftError('UNAVAILABLE', 'The stream ended before the run did', {reason: 'STREAM_CUT'});
    } catch (error) {
      failure = error;
    }
    if (!isAnswered && start === request.start) throw failure;
    await backoff.wait(failure, signal);
    options.reconnecting?.(failure);
  }
}
