// Wires handlers, health, reflection and HTTP; listens; drains.
import {setLogger} from '@grpc/grpc-js';
import {createServer, type Server} from 'nice-grpc';
import {HealthDefinition, HealthServiceImpl, HealthState} from 'nice-grpc-server-health';
import type {Runs} from '../runs/api.js';
import type {Telemetry} from '../telemetry/telemetry.js';
import {callErrors} from './call-errors.js';
import {callObserver} from './call-observer.js';
import type {ServerContext} from './context.js';
import {dataMapHandlers} from './data-map-handlers.js';
import {datasetHandlers} from './dataset-handlers.js';
import {dynamicsHandlers} from './dynamics-handlers.js';
import {FtftServiceDefinition} from './gen/ftft/v1/ftft_service.js';
import {startHttpServer} from './http-server.js';
import {instancesHandler} from './instances-handler.js';
import {address, checkHost, listenError} from './listen.js';
import {reflectionDefinition, reflectionHandlers, serverDescriptors} from './reflection.js';
import {runHandlers} from './run-handlers.js';
import {streamHandler} from './stream-handler.js';

export interface ServerOptions {
  runs: Runs;
  telemetry: Telemetry;
  host: string;
  allowInsecure: boolean;
  /** 0 takes a free one. */
  grpcPort: number;
  httpPort: number;
  healthPort: number;
  /** A stream whose reader takes nothing for this long is closed; 60 s. */
  stallMs?: number;
  /** How long a drain waits for calls to end; 5 s. */
  drainMs?: number;
}

export interface RunningServers {
  ports: {grpc: number; http: number; health: number};
  /** NOT_SERVING first, streams end with DRAINING, no new calls; resolves once all is closed. */
  drain(): Promise<void>;
}

const maxRequestBytes = 4 * 1024 * 1024;
const channelOptions = {
  'grpc.max_receive_message_length': maxRequestBytes,
  'grpc.max_concurrent_streams': 1000,
  // A dead peer is found, and what it held is freed.
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
};
const services = ['', FtftServiceDefinition.fullName];

export async function startServers(options: ServerOptions): Promise<RunningServers> {
  const {telemetry, host, grpcPort, httpPort, healthPort, stallMs = 60_000, drainMs = 5000} = options;
  if (checkHost(host, options.allowInsecure).isExposed)
    telemetry.log.warn({host}, 'listening beyond loopback without TLS and authentication, as FTFT_ALLOW_INSECURE says');
  // grpc-js writes to the console what our own errors say better.
  const logLibrary = (text: string) => telemetry.log.debug({library: 'grpc-js'}, text);
  setLogger({error: logLibrary, info: logLibrary, debug: logLibrary});
  const draining = new AbortController();
  const health = HealthState();
  for (const service of services) health.setStatus('healthy', service);
  const grpc = grpcServer({...options, drain: draining.signal}, health, stallMs);
  const plain = createServer();
  plain.add(HealthDefinition, HealthServiceImpl(health));

  const started: (() => void)[] = [];
  try {
    const grpcTaken = await listen(grpc, host, grpcPort, 'FTFT_GRPC_PORT');
    started.push(() => grpc.forceShutdown());
    const healthTaken = await listen(plain, host, healthPort, 'FTFT_HEALTH_PORT');
    started.push(() => plain.forceShutdown());
    const http = await startHttpServer(telemetry, draining.signal, {host, port: httpPort});
    return {
      ports: {grpc: grpcTaken, http: http.port, health: healthTaken},
      async drain() {
        for (const service of services) health.setStatus('unhealthy', service);
        draining.abort();
        await shutdownWithin(grpc, drainMs);
        http.close();
        plain.forceShutdown();
      },
    };
  } catch (error) {
    for (const stop of started) stop();
    throw error;
  }
}

function grpcServer(context: ServerContext, health: HealthState, stallMs: number): Server {
  const server = createServer({...channelOptions, interceptors: [callObserver(context.telemetry, stallMs)]} as object);
  const watched = server.with(callErrors(context.telemetry.log));
  watched.add(FtftServiceDefinition, {
    ...datasetHandlers(context.runs),
    ...dynamicsHandlers(context.runs),
    ...instancesHandler(context.runs),
    ...runHandlers(context),
    ...dataMapHandlers(context),
    ...streamHandler(context),
  });
  const index = serverDescriptors();
  for (const version of ['v1', 'v1alpha'] as const)
    server.add(reflectionDefinition(version), reflectionHandlers(index));
  server.add(HealthDefinition, HealthServiceImpl(health));
  return server;
}

async function listen(server: Server, host: string, port: number, variable: string): Promise<number> {
  try {
    return await server.listen(address(host, port));
  } catch (error) {
    throw listenError(error, host, port, variable);
  }
}

/** Waits for calls to end, then cuts those that do not: a reader that takes nothing cannot hold the process. */
async function shutdownWithin(server: Server, milliseconds: number): Promise<void> {
  const cut = setTimeout(() => server.forceShutdown(), milliseconds);
  try {
    await server.shutdown();
  } finally {
    clearTimeout(cut);
  }
}
