// The way from a process to its database, which can be cut without a word to either end: a network namespace behind a pair of veth
// interfaces for root, else a TCP proxy that holds back what it should pass on.
import {execFileSync, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {type AddressInfo, connect, createServer, type Socket} from 'node:net';

export interface Link {
  kind: 'namespace' | 'proxy';
  /** What a command line begins with that is to run at the far end. */
  prefix: string[];
  /** Address of the database's machine there, and who comes from there, as pg_hba.conf has it; none where it is the loopback. */
  host: string | undefined;
  peer: string | undefined;
  /** URL of the database as seen from there. */
  url(databaseUrl: string): Promise<string>;
  cut(): void;
  mend(): void;
  close(): void;
}

/** number: of this link among those of the process, 0 to 63. */
export function openLink(number: number): Link {
  try {
    return namespaceLink(number);
  } catch {
    // Not root, no program ip, or a container that may not.
    return proxyLink();
  }
}

function namespaceLink(number: number): Link {
  // 198.18.0.0/15 is set aside for tests of networks.
  const subnet = `198.18.${process.pid % 256}`;
  const [near, far] = [`${subnet}.${4 * number + 1}`, `${subnet}.${4 * number + 2}`];
  const name = `ftft-${process.pid}-${number}`;
  const [nearEnd, farEnd] = [`fn${process.pid}-${number}`, `ff${process.pid}-${number}`];
  const ip = (...args: string[]) => execFileSync('ip', args, {stdio: 'pipe'});
  const close = () => void spawnSync('ip', ['netns', 'del', name]);
  ip('netns', 'add', name);
  try {
    ip('link', 'add', nearEnd, 'type', 'veth', 'peer', 'name', farEnd, 'netns', name);
    ip('addr', 'add', `${near}/30`, 'dev', nearEnd);
    ip('link', 'set', nearEnd, 'up');
    ip('-n', name, 'addr', 'add', `${far}/30`, 'dev', farEnd);
    ip('-n', name, 'link', 'set', farEnd, 'up');
    ip('-n', name, 'link', 'set', 'lo', 'up');
  } catch (error) {
    close();
    throw error;
  }
  return {
    kind: 'namespace',
    prefix: ['ip', 'netns', 'exec', name],
    host: near,
    peer: `${far}/32`,
    async url(databaseUrl) {
      const url = new URL(databaseUrl);
      url.hostname = near;
      return url.href;
    },
    cut: () => void ip('-n', name, 'link', 'set', farEnd, 'down'),
    mend: () => void ip('-n', name, 'link', 'set', farEnd, 'up'),
    close,
  };
}

export function proxyLink(): Link {
  let isCut = false;
  const open = new Set<Socket>();
  const server = createServer();
  return {
    kind: 'proxy',
    prefix: [],
    host: undefined,
    peer: undefined,
    async url(databaseUrl) {
      const url = new URL(databaseUrl);
      const target = {host: url.hostname, port: Number(url.port)};
      server.on('connection', near => {
        const far = connect(target);
        for (const [socket, other] of [
          [near, far],
          [far, near],
        ]) {
          open.add(socket);
          socket.on('error', () => {});
          socket.on('close', () => open.delete(socket) && other.destroy());
          socket.on('data', bytes => void other.write(bytes));
          if (isCut) socket.pause();
        }
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      url.hostname = '127.0.0.1';
      url.port = String((server.address() as AddressInfo).port);
      return url.href;
    },
    cut() {
      isCut = true;
      for (const socket of open) socket.pause();
    },
    mend() {
      isCut = false;
      for (const socket of open) socket.resume();
    },
    close() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}
