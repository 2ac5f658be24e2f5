// Address, and how to be safe on the way → a client of the service. Errors arrive with their details.
import {readFileSync} from 'node:fs';
import {isIP} from 'node:net';
import {ChannelCredentials, type ClientMiddleware, createChannel, createClientFactory, Metadata} from 'nice-grpc';
import {errorDetailsClientMiddleware} from 'nice-grpc-error-details';
import type {ClientSettings} from '../config.js';
import {FtftError} from '../errors.js';
import {type FtftServiceClient, FtftServiceDefinition} from '../server/gen/ftft/v1/ftft_service.js';

export interface Connection {
  client: FtftServiceClient;
  close(): void;
}

/** HOST:PORT. Nothing is opened before the first call. Files that say whom to trust, or who calls, mean TLS. */
export function connect(address: string, settings: Partial<ClientSettings> = {}): Connection {
  const {token, caFile, certFile, keyFile} = settings;
  const isTls = settings.isTls || [caFile, certFile, keyFile].some(file => file !== undefined);
  if (token !== undefined && !isTls && !isLoopback(address))
    throw cannot(`a token must not travel in the clear, to ${address}; use --tls, or unset FTFT_TOKEN`);
  const channel = createChannel(address, isTls ? tlsCredentials(settings) : ChannelCredentials.createInsecure(), {
    // A server that restarts is back in seconds: grpc-js would wait for up to two minutes before it looks again.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    // Finds a peer that is gone without a word.
    'grpc.keepalive_time_ms': 30_000,
  });
  const factory = createClientFactory().use(errorDetailsClientMiddleware);
  const client = (token === undefined ? factory : factory.use(bearer(token))).create(FtftServiceDefinition, channel);
  return {client, close: () => channel.close()};
}

/** `runs/x` for `x` and for `runs/x`. */
export function resourceName(collection: 'runs' | 'datasets' | 'dataMaps', nameOrId: string): string {
  return nameOrId.startsWith(`${collection}/`) ? nameOrId : `${collection}/${nameOrId}`;
}

function tlsCredentials({caFile, certFile, keyFile}: Partial<ClientSettings>): ChannelCredentials {
  if ((certFile === undefined) !== (keyFile === undefined))
    throw cannot('a certificate and its key must come together');
  const [ca, key, cert] = [caFile, keyFile, certFile].map(file => (file === undefined ? null : readPem(file)));
  try {
    return ChannelCredentials.createSsl(ca, key, cert);
  } catch {
    throw cannot(`${[caFile, certFile, keyFile].filter(Boolean).join(', ')} must hold PEM, and a key its certificate`);
  }
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw cannot(`${file} must be readable: ${(error as NodeJS.ErrnoException).code ?? 'unreadable'}`);
  }
}

function bearer(token: string): ClientMiddleware {
  return async function* bearerMiddleware(call, options) {
    const metadata = Metadata(options.metadata).set('authorization', `Bearer ${token}`);
    return yield* call.next(call.request, {...options, metadata});
  };
}

function isLoopback(address: string): boolean {
  const host = address.replace(/:\d+$/, '');
  return host === 'localhost' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
}

function cannot(found: string): FtftError {
  return new FtftError('INVALID_ARGUMENT', `Cannot connect: ${found}`, {reason: 'INVALID_FIELD'});
}
