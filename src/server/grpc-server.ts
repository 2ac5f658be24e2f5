// Handlers and what stands before them → the gRPC server, and the two plain ones beside it: health, reflection.
import {createServer, type Server} from 'nice-grpc';
import {HealthDefinition, HealthServiceImpl, type HealthState} from 'nice-grpc-server-health';
import type {Authenticator} from './access/authenticate.js';
import {callGuard} from './access/call-guard.js';
import {CallerAccounts} from './access/caller-limits.js';
import {type Role, roleOfRpc} from './access/roles.js';
import {callErrors} from './call-errors.js';
import {callObserver} from './call-observer.js';
import type {ServerContext} from './context.js';
import {dataMapHandlers} from './data-map-handlers.js';
import {datasetHandlers} from './dataset-handlers.js';
import {dynamicsHandlers} from './dynamics-handlers.js';
import {FtftServiceDefinition} from './gen/ftft/v1/ftft_service.js';
import {instancesHandler} from './instances-handler.js';
import {reflectionDefinition, reflectionHandlers, serverDescriptors} from './reflection.js';
import {runHandlers} from './run-handlers.js';
import {streamHandler} from './stream-handler.js';

export interface ServerLimits {
  /** Of one caller, in the long run, and twice as many at once; 0: any number. */
  callsPerSecond: number;
  /** Of one caller at once, streams and waits among them. */
  openCalls: number;
  /** Of all callers at once. */
  connections: number;
  /** A connection is closed in good order after this time, so that callers spread over replicas; 0: never. */
  connectionAgeMs: number;
  /** Longest wait for the next message of a request. */
  requestMs: number;
}

export const defaultLimits: ServerLimits = {
  callsPerSecond: 0,
  openCalls: 1000,
  connections: 2000,
  connectionAgeMs: 0,
  requestMs: 60_000,
};

const maxRequestBytes = 4 * 1024 * 1024;
/** Streams of a connection that is told to go may end by themselves. */
const connectionGraceMs = 10 * 60_000;
const connectionIdleMs = 10 * 60_000;
const baseOptions = {
  'grpc.max_receive_message_length': maxRequestBytes,
  'grpc.max_concurrent_streams': 1000,
  'grpc.max_connection_idle_ms': connectionIdleMs,
  // A dead peer is found, and what it held is freed.
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
};
const reflectionVersions = ['v1', 'v1alpha'] as const;

export interface GrpcServerOptions extends ServerContext {
  authenticator: Authenticator | undefined;
  limits: ServerLimits;
  stallMs: number;
  health: HealthState;
  hasReflection: boolean;
}

export function grpcServer(options: GrpcServerOptions): Server {
  const {telemetry, authenticator, limits, stallMs, health, hasReflection, runs} = options;
  const accounts = new CallerAccounts(limits);
  const {requestMs, connectionAgeMs} = limits;
  const guard = callGuard({authenticator, accounts, roleOf: rolesByPath(), requestMs, log: telemetry.log});
  const age = {'grpc.max_connection_age_ms': connectionAgeMs, 'grpc.max_connection_age_grace_ms': connectionGraceMs};
  const server = createServer({
    ...{...baseOptions, ...(connectionAgeMs > 0 && age)},
    // The observer stands first: it sees every call, and the status of each, the guard's too.
    interceptors: [callObserver(telemetry, stallMs), guard],
  } as object);
  server.with(callErrors(telemetry.log)).add(FtftServiceDefinition, {
    ...datasetHandlers(runs),
    ...dynamicsHandlers(runs),
    ...instancesHandler(runs),
    ...runHandlers(options),
    ...dataMapHandlers(options),
    ...streamHandler(options),
  });
  if (hasReflection) addReflection(server);
  server.add(HealthDefinition, HealthServiceImpl(health));
  return server;
}

/** Plaintext for probes, with nothing else on it. */
export function healthServer(health: HealthState): Server {
  const server = createServer(baseOptions as object);
  server.add(HealthDefinition, HealthServiceImpl(health));
  return server;
}

/** Plaintext for operators, with nothing else on it: the contract is no secret. */
export function reflectionServer(): Server {
  const server = createServer(baseOptions as object);
  addReflection(server);
  return server;
}

function addReflection(server: Server): void {
  const index = serverDescriptors();
  for (const version of reflectionVersions) server.add(reflectionDefinition(version), reflectionHandlers(index));
}

/** Health says no more than that the server serves, and load balancers have no token. */
function rolesByPath(): Map<string, Role | 'nobody'> {
  const byPath = new Map<string, Role | 'nobody'>();
  const rpcs = Object.entries(FtftServiceDefinition.methods) as [keyof typeof roleOfRpc, {name: string}][];
  for (const [rpc, {name}] of rpcs) byPath.set(`/${FtftServiceDefinition.fullName}/${name}`, roleOfRpc[rpc]);
  for (const {name} of Object.values(HealthDefinition.methods))
    byPath.set(`/${HealthDefinition.fullName}/${name}`, 'nobody');
  for (const version of reflectionVersions)
    for (const {path} of Object.values(reflectionDefinition(version))) byPath.set(path, 'viewer');
  return byPath;
}
