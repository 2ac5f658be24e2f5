// The real server program, started as a user would: a child process on free ports over a folder of its own, and a client to it.
import {type ChildProcess, spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {type Channel, createChannel, createClient} from 'nice-grpc';
import {type FtftServiceClient, FtftServiceDefinition} from '../../src/server/gen/ftft/v1/ftft_service.js';

const mainFile = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface ServerProcess {
  child: ChildProcess;
  client: FtftServiceClient;
  channel: Channel;
  address: string;
  httpAddress: string;
  /** SIGKILL to the server alone: its trainer has to notice by itself. */
  kill(): Promise<void>;
  /** SIGTERM, and wait for the end. */
  stop(): Promise<number | null>;
}

export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'ftft-test-'));

/** Resolves once the server listens; its log goes to this process's standard error with FTFT_TEST_LOG=1. */
export async function startServer(dataDir: string, environment: NodeJS.ProcessEnv = {}): Promise<ServerProcess> {
  const {child, ports, kill, stop} = await startProcess(dataDir, environment);
  const channel = createChannel(ports.grpc);
  return {
    child,
    client: createClient(FtftServiceDefinition, channel),
    channel,
    address: ports.grpc,
    httpAddress: ports.http,
    async kill() {
      await kill();
      channel.close();
    },
    async stop() {
      const code = await stop();
      channel.close();
      return code;
    },
  };
}

export interface Ports {
  grpc: string;
  http: string;
  health: string;
}

export interface OwnProcess {
  child: ChildProcess;
  ports: Ports;
  /** SIGKILL to this process alone. */
  kill(): Promise<void>;
  /** SIGTERM, and wait for the end. */
  stop(): Promise<number | null>;
}

/** As `ftft worker` starts it: no port for calls. */
export const startWorker = (dataDir: string, environment: NodeJS.ProcessEnv = {}): Promise<OwnProcess> =>
  startProcess(dataDir, {...environment, FTFT_ROLE: 'worker'});

async function startProcess(dataDir: string, environment: NodeJS.ProcessEnv): Promise<OwnProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', mainFile], {
    env: {
      ...process.env,
      FTFT_GRPC_PORT: '0',
      FTFT_HTTP_PORT: '0',
      FTFT_HEALTH_PORT: '0',
      FTFT_DATA_DIR: dataDir,
      FTFT_OFFLINE: '1',
      FTFT_LEASE_MS: '1500',
      ...environment,
    },
    stdio: ['ignore', 'pipe', process.env.FTFT_TEST_LOG ? 'inherit' : 'ignore'],
  });
  const ended = new Promise<number | null>(resolve => child.once('exit', resolve));
  const ports = await Promise.race([
    listening(child),
    ended.then(code => Promise.reject(new Error(`the process ended with code ${code} before it listened`))),
  ]);
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return await ended;
  };
  return {child, ports, kill: async () => void (await end('SIGKILL')), stop: () => end('SIGTERM')};
}

/** What it says once it listens. */
export async function listening(child: ChildProcess): Promise<Ports> {
  for await (const line of createInterface({input: child.stdout!})) {
    if (line.startsWith('{') && line.includes('"listening"')) return JSON.parse(line);
  }
  throw new Error('the process closed its output before it listened');
}

/** Runs the body over a fresh folder and removes it. */
export async function withFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = temporaryFolder();
  try {
    return await body(folder);
  } finally {
    rmSync(folder, {recursive: true, force: true});
  }
}
