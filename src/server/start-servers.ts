// Options in; servers that listen, protected as the options say, and how to drain them out.
import {setLogger} from '@grpc/grpc-js';
import type {Server} from 'nice-grpc';
import {HealthState} from 'nice-grpc-server-health';
import type {Runs} from '../runs/api.js';
import type {Telemetry} from '../telemetry/telemetry.js';
import {fileAuthenticator} from './access/authenticate.js';
import {limitConnections} from './access/connection-limit.js';
import {serverTls, type TlsOptions} from './access/tls.js';
import {FtftServiceDefinition} from './gen/ftft/v1/ftft_service.js';
import {defaultLimits, grpcServer, healthServer, reflectionServer, type ServerLimits} from './grpc-server.js';
import {startHttpServer} from './http-server.js';
import {address, checkHost, listenError, metricsHost} from './listen.js';

export interface ServerOptions {
  runs: Runs;
  telemetry: Telemetry;
  host: string;
  allowInsecure: boolean;
  /** 0 takes a free one. */
  grpcPort: number;
  httpPort: number;
  healthPort: number;
  /** Plaintext when undefined. */
  tls?: TlsOptions;
  /** Who may call, and as what; undefined: everybody, everything. */
  authFile?: string;
  isOffline?: boolean;
  /** Where /metrics and a reflection port are; the loopback unless host is, or unless insecure hosts are allowed. */
  httpHost?: string;
  servesMetrics?: boolean;
  /** On the gRPC port, nowhere, or on a port of its own. */
  reflection?: 'on' | 'off' | number;
  limits?: Partial<ServerLimits>;
  /** A stream whose reader takes nothing for this long is closed; 60 s. */
  stallMs?: number;
  /** How long a drain waits for calls to end; 5 s. */
  drainMs?: number;
  /** How often certificates and the authentication file are looked at; 5 s. */
  reloadMs?: number;
}

export interface RunningServers {
  ports: {grpc: number; http: number; health: number; reflection?: number};
  /** Where http, and reflection on a port of its own, listen. */
  httpHost: string;
  /** NOT_SERVING first, streams end with DRAINING, no new calls; resolves once all is closed. */
  drain(): Promise<void>;
}

const services = ['', FtftServiceDefinition.fullName];

export async function startServers(options: ServerOptions): Promise<RunningServers> {
  const {runs, telemetry, host, httpPort, authFile, reflection = 'on', stallMs = 60_000, drainMs = 5000} = options;
  const {log} = telemetry;
  const httpHost = checkedHosts(options);
  // grpc-js writes to the console what our own errors say better.
  const logLibrary = (text: string) => log.debug({library: 'grpc-js'}, text);
  setLogger({error: logLibrary, info: logLibrary, debug: logLibrary});
  const draining = new AbortController();
  const health = HealthState();
  for (const service of services) health.setStatus('healthy', service);

  const stops: (() => void)[] = [];
  const listen = async (server: Server, host: string, port: number, variable: string, tls?: Tls) => {
    const taken = await listenOr(server, host, port, variable, tls);
    stops.push(() => server.forceShutdown());
    return taken;
  };
  try {
    const {isOffline = false, reloadMs: everyMs} = options;
    const tls = options.tls && (await serverTls(options.tls, log, everyMs));
    stops.push(() => tls?.close());
    const authenticator =
      authFile === undefined ? undefined : await fileAuthenticator(authFile, {isOffline, log, everyMs});
    stops.push(() => authenticator?.close());
    const limits = {...defaultLimits, ...options.limits};
    const hasReflection = reflection === 'on';
    const grpc = grpcServer({
      runs,
      telemetry,
      drain: draining.signal,
      authenticator,
      limits,
      stallMs,
      health,
      hasReflection,
    });
    const grpcPort = await listen(grpc, host, options.grpcPort, 'FTFT_GRPC_PORT', tls);
    const refused = () => telemetry.metrics.connectionsRefused.inc();
    stops.push(limitConnections(grpcPort, limits.connections, refused));
    const healthPort = await listen(healthServer(health), host, options.healthPort, 'FTFT_HEALTH_PORT');
    const http = await startHttpServer(telemetry, draining.signal, {
      host: httpHost,
      port: httpPort,
      servesMetrics: options.servesMetrics ?? true,
    });
    stops.push(() => http.close());
    const ports: RunningServers['ports'] = {grpc: grpcPort, http: http.port, health: healthPort};
    if (typeof reflection === 'number')
      ports.reflection = await listen(reflectionServer(), httpHost, reflection, 'FTFT_REFLECTION');
    return {
      ports,
      httpHost,
      async drain() {
        for (const service of services) health.setStatus('unhealthy', service);
        draining.abort();
        await shutdownWithin(grpc, drainMs);
        for (const stop of stops) stop();
      },
    };
  } catch (error) {
    for (const stop of stops) stop();
    throw error;
  }
}

type Tls = Awaited<ReturnType<typeof serverTls>>;

/** Where HTTP listens. */
function checkedHosts(options: ServerOptions): string {
  const {telemetry, host, allowInsecure, tls, authFile} = options;
  const {log} = telemetry;
  const isAuthenticated = authFile !== undefined || tls?.requiresClientCert === true;
  const lacking = checkHost(host, allowInsecure, {isTls: tls !== undefined, isAuthenticated});
  if (lacking) log.warn({host}, `listening beyond loopback without ${lacking}, as FTFT_ALLOW_INSECURE says`);
  return metricsHost(options);
}

async function listenOr(server: Server, host: string, port: number, variable: string, tls?: Tls): Promise<number> {
  try {
    return await server.listen(address(host, port), tls?.credentials);
  } catch (error) {
    throw listenError(error, host, port, variable);
  }
}

/** Waits for calls to end, then cuts those that do not: a reader that takes nothing cannot hold the process. */
async function shutdownWithin(server: Server, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>(resolve => {
    timer = setTimeout(() => {
      server.forceShutdown();
      // A peer that does not even take the end of its connection is not waited for.
      resolve();
    }, milliseconds);
  });
  try {
    await Promise.race([server.shutdown(), late]);
  } finally {
    clearTimeout(timer);
  }
}
