// Where the servers may listen, and what is said when they cannot.
import {isIP} from 'node:net';
import {FtftError} from '../errors.js';
import type {Telemetry} from '../telemetry/telemetry.js';

export interface Protection {
  isTls: boolean;
  isAuthenticated: boolean;
}

/** FAILED_PRECONDITION for a host beyond loopback without TLS and authentication, unless that was asked for in words. What is
 * lacking there, for a warning; undefined where nothing is. */
export function checkHost(
  host: string,
  allowInsecure: boolean,
  {isTls, isAuthenticated}: Protection = {isTls: false, isAuthenticated: false},
): string | undefined {
  if (isLoopback(host) || (isTls && isAuthenticated)) return undefined;
  const lacking = [isTls ? [] : ['TLS'], isAuthenticated ? [] : ['authentication']].flat().join(' and ');
  if (allowInsecure) return lacking;
  throw new FtftError(
    'FAILED_PRECONDITION',
    `Cannot listen on ${host}: without ${lacking} the service listens on loopback addresses only; ` +
      'set FTFT_TLS_CERT_FILE, FTFT_TLS_KEY_FILE and FTFT_AUTH_FILE, or FTFT_HOST=127.0.0.1, ' +
      'or FTFT_ALLOW_INSECURE=1 where something else keeps strangers out',
    {reason: 'INSECURE_HOST'},
  );
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

/** Where metrics are: beyond loopback only where that was said in words, since they ask nobody who they are. */
export function metricsHost({
  host,
  allowInsecure,
  httpHost,
  telemetry,
}: {
  host: string;
  allowInsecure: boolean;
  httpHost?: string;
  telemetry: Telemetry;
}): string {
  const chosen = httpHost ?? (allowInsecure || isLoopback(host) ? host : '127.0.0.1');
  if (!isLoopback(chosen)) telemetry.log.warn({host: chosen}, 'metrics are for everybody who reaches this address');
  return chosen;
}

/** host:port as URLs and gRPC targets write it. */
export const address = (host: string, port: number): string =>
  isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;

/** One clear line for what listening ended in. */
export function listenError(error: unknown, host: string, port: number, variable: string): FtftError {
  const text = error instanceof Error ? error.message : String(error);
  const isInUse = text.includes('EADDRINUSE');
  const found = isInUse ? 'the port is in use' : text;
  return new FtftError(
    'FAILED_PRECONDITION',
    `Cannot listen on ${address(host, port)}: ${found}; set ${variable} to a free port, or to 0 to take any`,
    {reason: isInUse ? 'PORT_IN_USE' : 'CANNOT_LISTEN'},
    {cause: error},
  );
}
