// A real server on free ports over a fake Runs, and a client that decodes error details.
import type {TestContext} from 'node:test';
import {createChannel, createClientFactory} from 'nice-grpc';
import {type ErrorDetails, errorDetailsClientMiddleware, RichClientError} from 'nice-grpc-error-details';
import type {FtftServiceClient} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {FtftServiceDefinition} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {type RunningServers, type ServerOptions, startServers} from '../../src/server/start-servers.js';
import {createLog} from '../../src/telemetry/log.js';
import {createTelemetry, type Telemetry} from '../../src/telemetry/telemetry.js';
import {FakeRuns} from './fake-runs.js';

export interface TestServer {
  runs: FakeRuns;
  client: FtftServiceClient;
  servers: RunningServers;
  telemetry: Telemetry;
  address: string;
  /** Another connection. */
  connect(): FtftServiceClient;
}

export async function startTestServer(
  t: TestContext,
  options: Partial<ServerOptions> & {otlpEndpoint?: string} = {},
): Promise<TestServer> {
  const runs = new FakeRuns();
  const telemetry = createTelemetry({
    log: createLog('silent'),
    countRuns: () => runs.countRuns(),
    build: {version: '0.0.0', commit: 'none', tensorflow: 'none'},
    otlpEndpoint: options.otlpEndpoint,
  });
  const ports = {grpcPort: 0, httpPort: 0, healthPort: 0};
  const servers = await startServers({
    ...{runs, telemetry, host: '127.0.0.1', allowInsecure: false, drainMs: 500},
    ...ports,
    ...options,
  });
  const address = `127.0.0.1:${servers.ports.grpc}`;
  const channels: ReturnType<typeof createChannel>[] = [];
  const connect = () => {
    const channel = createChannel(address, undefined, {'grpc.use_local_subchannel_pool': 1});
    channels.push(channel);
    return createClientFactory().use(errorDetailsClientMiddleware).create(FtftServiceDefinition, channel);
  };
  t.after(async () => {
    for (const channel of channels) channel.close();
    await servers.drain();
    await telemetry.spans.shutdown();
  });
  return {runs, client: connect(), servers, telemetry, address, connect};
}

/** The error of a call that must fail. */
export async function errorOf(call: Promise<unknown>): Promise<RichClientError> {
  const error = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (error instanceof RichClientError) return error;
  throw new Error(`expected an error with details, got ${error}`, {cause: error});
}

/** The detail of a type, such as google.rpc.ErrorInfo. */
export function detail<N extends ErrorDetails['$type']>(error: RichClientError, name: N) {
  return error.extra.find((found): found is Extract<ErrorDetails, {$type: N}> => found.$type === name);
}

export const reasonOf = (error: RichClientError): string | undefined => detail(error, 'google.rpc.ErrorInfo')?.reason;

export async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of iterable) items.push(item);
  return items;
}
