// HTTP: /metrics for Prometheus, /healthz for whoever asks.
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import type {Telemetry} from '../telemetry/telemetry.js';
import {listenError} from './listen.js';

export interface HttpServer {
  port: number;
  close(): void;
}

export async function startHttpServer(
  telemetry: Telemetry,
  drain: AbortSignal,
  {host, port, servesMetrics}: {host: string; port: number; servesMetrics: boolean},
): Promise<HttpServer> {
  const server = createServer((request, response) => {
    answer({telemetry, drain, servesMetrics}, request, response).catch((error: unknown) => {
      telemetry.log.error({err: error, path: request.url}, 'unexpected error');
      send(response, 500, 'An unexpected error occurred; it is logged\n');
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(listenError(error, host, port, 'FTFT_HTTP_PORT')));
    server.listen(port, host, resolve);
  });
  return {port: (server.address() as AddressInfo).port, close: () => closeNow(server)};
}

interface Answering {
  telemetry: Telemetry;
  drain: AbortSignal;
  servesMetrics: boolean;
}

async function answer(
  {telemetry, drain, servesMetrics}: Answering,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Not through URL, which throws at some paths that a caller may send.
  const [pathname] = (request.url ?? '/').split('?', 1);
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'Only GET and HEAD\n');
  if (pathname === '/healthz') return send(response, drain.aborted ? 503 : 200, drain.aborted ? 'draining\n' : 'ok\n');
  if (pathname !== '/metrics' || !servesMetrics) return send(response, 404, 'Here are /metrics and /healthz\n');
  const {registry} = telemetry.metrics;
  send(response, 200, await registry.metrics(), registry.contentType);
}

function send(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, {'content-type': type, 'x-content-type-options': 'nosniff'}).end(body);
}

function closeNow(server: Server): void {
  server.close();
  server.closeAllConnections();
}
