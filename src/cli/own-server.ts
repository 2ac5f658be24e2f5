// A folder for its state in; a server of our own for the length of some work, and its end however that ends.
import {FtftError} from '../errors.js';
import type {FtftServiceClient} from '../server/gen/ftft/v1/ftft_service.js';
import {connect} from './connect.js';
import type {Io} from './io.js';
import {type ServerProcess, startServer} from './server-process.js';

/** For nobody else, whatever the environment says of others. */
const freePorts = {
  ...{FTFT_HOST: '127.0.0.1', FTFT_GRPC_PORT: '0', FTFT_HTTP_PORT: '0', FTFT_HEALTH_PORT: '0'},
  ...{FTFT_AUTH_FILE: '', FTFT_TLS_CERT_FILE: '', FTFT_TLS_KEY_FILE: '', FTFT_TLS_CLIENT_CA_FILE: ''},
  FTFT_TLS_REQUIRE_CLIENT_CERT: '',
};

export interface OwnServer {
  dataDir: string;
  /** What is being done, for the error of a server that dies meanwhile. */
  what: string;
  io: Io;
  start?: typeof startServer;
}

/** The signal is io's, and aborts too when the server dies. Throws what the work throws; leaves no process behind. */
export async function withOwnServer(
  {dataDir, what, io, start = startServer}: OwnServer,
  work: (client: FtftServiceClient, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const server = await start({...io.env, ...freePorts, FTFT_DATA_DIR: dataDir});
  const died = new AbortController();
  void server.ended.then(() => died.abort());
  const {client, close} = connect(server.address);
  try {
    await work(client, AbortSignal.any([io.signal, died.signal]));
  } catch (error) {
    if (!io.signal.aborted && died.signal.aborted) throw serverDied(server, what);
    throw error;
  } finally {
    close();
    await server.stop();
  }
}

function serverDied(server: ServerProcess, what: string): FtftError {
  const tail = server
    .log()
    .slice(-8)
    .map(line => `\n  ${line}`);
  return new FtftError('INTERNAL', `The server ended in the middle of ${what}; its last lines:${tail.join('')}`, {
    reason: 'SERVER_ENDED',
  });
}
