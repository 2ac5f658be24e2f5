// PEM files → credentials of the gRPC server, which take up new certificates without a restart.
import {X509Certificate} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import type {SecureServerOptions} from 'node:http2';
import {createSecureContext, type SecureContextOptions} from 'node:tls';
import {ServerCredentials} from '@grpc/grpc-js';
import {FtftError} from '../../errors.js';
import type {Log} from '../../telemetry/log.js';
import {reloaded} from './reloaded.js';

export interface TlsOptions {
  /** PEM: the server's certificate, those that sign it after it. */
  certFile: string;
  keyFile: string;
  /** PEM: who signs the certificates of callers; undefined: callers need none. */
  clientCaFile: string | undefined;
  /** A caller without such a certificate is refused in the handshake. */
  requiresClientCert: boolean;
}

export interface ServerTls {
  credentials: ServerCredentials;
  close(): void;
}

const handshakeTimeoutMs = 10_000;

/** FAILED_PRECONDITION/TLS_INVALID where a file cannot be read, or key and certificate are not a pair. */
export async function serverTls(options: TlsOptions, log: Log, everyMs?: number): Promise<ServerTls> {
  const {certFile, keyFile, clientCaFile, requiresClientCert} = options;
  const files = [certFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])];
  let credentials: ReloadableCredentials | undefined;
  const context = await reloaded<SecureContextOptions>({
    what: 'TLS certificate',
    read: () => Promise.all(files.map(readPem)),
    load: ([cert, key, ca]) => checked({cert, key, ca}, files),
    changed: next => credentials?.replace(next),
    everyMs,
    log,
  });
  credentials = new ReloadableCredentials(
    {
      requestCert: clientCaFile !== undefined,
      // Where tokens serve as well, a caller without a certificate is let in as far as the check of its token.
      rejectUnauthorized: requiresClientCert,
      minVersion: 'TLSv1.2',
      handshakeTimeout: handshakeTimeoutMs,
    },
    context.current,
  );
  return {credentials, close: context.close};
}

class ReloadableCredentials extends ServerCredentials {
  constructor(options: SecureServerOptions, context: SecureContextOptions) {
    super(options, context);
  }

  /** For connections to come: those that are open stay as they are. */
  replace(context: SecureContextOptions): void {
    this.updateSecureContextOptions(context);
  }

  _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}

async function readPem(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw invalid(`${file} must be a readable PEM file: ${(error as NodeJS.ErrnoException).code ?? 'unreadable'}`);
  }
}

/** Neither messages nor causes may carry key material: OpenSSL's own words are left out. */
function checked(context: SecureContextOptions, [certFile, keyFile, clientCaFile]: string[]): SecureContextOptions {
  const isRead = (part: SecureContextOptions) => {
    try {
      createSecureContext(part);
      return true;
    } catch {
      return false;
    }
  };
  const {cert, key, ca} = context;
  if (!isRead({cert})) throw invalid(`${certFile} must hold certificates in PEM`);
  if (!isRead({key})) throw invalid(`${keyFile} must hold an unencrypted private key in PEM`);
  if (ca !== undefined && !isCertificate(ca as Buffer)) throw invalid(`${clientCaFile} must hold certificates in PEM`);
  if (!isRead(context)) throw invalid(`${keyFile} must be the key of the first certificate in ${certFile}`);
  return context;
}

/** As an authority OpenSSL takes what is no certificate for an empty list. */
function isCertificate(pem: Buffer): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

function invalid(found: string): FtftError {
  return new FtftError('FAILED_PRECONDITION', `Cannot serve TLS: ${found}`, {reason: 'TLS_INVALID'});
}
