// Address → a client of the service. Plain text over the loopback; errors arrive with their details.
import {createChannel, createClientFactory} from 'nice-grpc';
import {errorDetailsClientMiddleware} from 'nice-grpc-error-details';
import {type FtftServiceClient, FtftServiceDefinition} from '../server/gen/ftft/v1/ftft_service.js';

export interface Connection {
  client: FtftServiceClient;
  close(): void;
}

/** HOST:PORT. Nothing is opened before the first call. */
export function connect(address: string): Connection {
  const channel = createChannel(address, undefined, {
    // A server that restarts is back in seconds: grpc-js would wait for up to two minutes before it looks again.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    // Finds a peer that is gone without a word.
    'grpc.keepalive_time_ms': 30_000,
  });
  const client = createClientFactory().use(errorDetailsClientMiddleware).create(FtftServiceDefinition, channel);
  return {client, close: () => channel.close()};
}

/** `runs/x` for `x` and for `runs/x`. */
export function resourceName(collection: 'runs' | 'datasets' | 'dataMaps', nameOrId: string): string {
  return nameOrId.startsWith(`${collection}/`) ? nameOrId : `${collection}/${nameOrId}`;
}
