// A port in front of another → connections that are cut when the test says so, as by a network that breaks.
import {once} from 'node:events';
import {type AddressInfo, connect, createServer, type Socket} from 'node:net';

export interface CuttingProxy {
  port: number;
  /** Ends every connection that is open now, without a word. */
  cut(): number;
  close(): void;
}

export async function cuttingProxy(target: string): Promise<CuttingProxy> {
  const [host, port] = target.split(':');
  const open = new Set<Socket>();
  const server = createServer(near => {
    const far = connect(Number(port), host);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ]) {
      open.add(socket);
      socket
        .on('error', () => other.destroy())
        .on('close', () => {
          open.delete(socket);
          other.destroy();
        });
      socket.pipe(other);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    const count = open.size / 2;
    for (const socket of open) socket.resetAndDestroy();
    return count;
  };
  const close = () => {
    cut();
    server.close();
  };
  return {port: (server.address() as AddressInfo).port, cut, close};
}
