// Options in; what a process that only trains listens on: HTTP for its metrics, and its health. No RPC of the service.
import {HealthState} from 'nice-grpc-server-health';
import type {Telemetry} from '../telemetry/telemetry.js';
import {healthServer} from './grpc-server.js';
import {startHttpServer} from './http-server.js';
import {address, listenError, metricsHost} from './listen.js';

/** Of the health service: SERVING while the worker can take runs. '' says no more than that the process answers. */
export const workerService = 'ftft.Worker';

const readyEveryMs = 500;

export interface WorkerServerOptions {
  telemetry: Telemetry;
  /** False while the queue cannot be reached. */
  isReady: () => boolean;
  host: string;
  allowInsecure: boolean;
  /** Where /metrics is; the loopback unless host is, or unless insecure hosts are allowed. */
  httpHost?: string;
  servesMetrics?: boolean;
  /** 0 takes a free one. */
  httpPort: number;
  healthPort: number;
}

export interface RunningWorkerServers {
  ports: {http: number; health: number};
  /** Where http listens. */
  httpHost: string;
  /** NOT_SERVING. What listens goes on until the process ends: its last metrics are wanted too. */
  drain(): Promise<void>;
}

export async function startWorkerServers(options: WorkerServerOptions): Promise<RunningWorkerServers> {
  const {telemetry, host, isReady} = options;
  const httpHost = metricsHost(options);
  const draining = new AbortController();
  const health = HealthState();
  health.setStatus('healthy', '');
  const look = () => health.setStatus(isReady() && !draining.signal.aborted ? 'healthy' : 'unhealthy', workerService);
  look();
  const timer = setInterval(look, readyEveryMs);
  timer.unref();
  const probes = healthServer(health);
  try {
    const healthPort = await probes.listen(address(host, options.healthPort)).catch((error: unknown) => {
      throw listenError(error, host, options.healthPort, 'FTFT_HEALTH_PORT');
    });
    const http = await startHttpServer(telemetry, draining.signal, {
      host: httpHost,
      port: options.httpPort,
      servesMetrics: options.servesMetrics ?? true,
    });
    return {
      ports: {http: http.port, health: healthPort},
      httpHost,
      async drain() {
        draining.abort();
        look();
        // Alive until it ends: it is not to be restarted while its runs are brought to a checkpoint.
      },
    };
  } catch (error) {
    clearInterval(timer);
    probes.forceShutdown();
    throw error;
  }
}
