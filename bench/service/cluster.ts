// A store → the service as it is run over it: one process for the API, and workers, each a child process that can be looked at and killed.
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type Channel, createChannel, createClient} from 'nice-grpc';
import {serverCommand} from '../../src/cli/server-process.js';
import {type FtftServiceClient, FtftServiceDefinition} from '../../src/server/gen/ftft/v1/ftft_service.js';
import {startPostgres} from '../../test/support/postgres.js';
import {listening} from '../../test/support/server-process.js';
import {writeTinyModel} from '../../test/support/tiny-model.js';

export const stores = ['sqlite', 'postgres'] as const;
export type StoreName = (typeof stores)[number];
export const storeTitles: Record<StoreName, string> = {sqlite: 'SQLite', postgres: 'PostgreSQL'};

const ticksPerSecond = 100;

type Role = 'all' | 'api' | 'worker';

export class Member {
  constructor(
    private readonly child: ChildProcess,
    /** HOST:PORT of the gRPC service; '' of a worker. */
    readonly address: string,
  ) {}

  /** Bytes of resident memory. */
  memory(): number {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes) * 1024;
  }

  /** Seconds of processors that it has used, its trainers apart. */
  processorSeconds(): number {
    const stat = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8');
    // utime and stime, after the name in brackets, which may hold anything.
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13);
    return (Number(user) + Number(system)) / ticksPerSecond;
  }

  /** It has a trainer. */
  get isTraining(): boolean {
    const {pid} = this.child;
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim() !== '';
  }

  /** With SIGTERM as one asks, with SIGKILL as a machine dies: its trainer too. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const {pid, exitCode, signalCode} = this.child;
    if (exitCode !== null || signalCode !== null) return;
    const exit = once(this.child, 'exit');
    process.kill(signal === 'SIGKILL' ? -pid! : pid!, signal);
    await exit;
  }
}

export interface Cluster {
  api: Member;
  client: FtftServiceClient;
  workers: Member[];
  startWorker(): Promise<Member>;
  end(): Promise<void>;
}

export interface ClusterOptions {
  /** The API trains too without any. */
  workers: number;
  /** undefined for the server's own. */
  leaseMs?: number;
  /** Each worker on a host of its own, as far as it can tell; see canRename. */
  isApart?: boolean;
}

/** Gives a process a host name of its own. */
const renamed = (host: string): string[] => ['unshare', '--uts', 'sh', '-c', 'hostname "$0" && exec "$@"', host];

/** Whether processes can have host names of their own here: as root on Linux. */
export function canRename(): boolean {
  const [file, ...args] = [...renamed('elsewhere'), 'true'];
  return spawnSync(file, args).status === 0;
}

export async function startCluster(
  store: StoreName,
  {workers: numWorkers, leaseMs, isApart = false}: ClusterOptions,
): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'ftft-bench-'));
  const remove = () => rmSync(folder, {recursive: true, force: true, maxRetries: 5});
  // An interrupted benchmark leaves nothing behind either.
  const interrupted = () => process.exit(130);
  process.once('SIGINT', interrupted).once('exit', remove);
  const endings: (() => unknown)[] = [remove, () => process.off('SIGINT', interrupted).off('exit', remove)];
  const end = async () => {
    for (const ending of endings.splice(0).reverse()) await ending();
  };
  try {
    const modelDir = join(folder, 'models');
    await writeTinyModel(join(modelDir, 'tiny'));
    // With fsync, as in life.
    const postgres = store === 'postgres' ? await startPostgres({isDurable: true}) : undefined;
    if (postgres) endings.push(() => postgres.stop());
    const environment = {
      ...process.env,
      ...{FTFT_GRPC_PORT: '0', FTFT_HTTP_PORT: '0', FTFT_HEALTH_PORT: '0', FTFT_OFFLINE: '1', FTFT_DEVICE: 'cpu'},
      ...{FTFT_DATA_DIR: join(folder, 'data'), FTFT_MODEL_DIR: modelDir, FTFT_LOG_LEVEL: 'error'},
      // A service that cannot keep up is to show it in times, and not in calls that it turns away.
      FTFT_MAX_OPEN_CALLS: '100000',
      ...(leaseMs && {FTFT_LEASE_MS: String(leaseMs)}),
      ...(postgres && {FTFT_DATABASE_URL: await postgres.database()}),
    };
    const start = async (role: Role) => {
      const host = isApart ? renamed(`bench-${endings.length}`) : [];
      const member = await startMember([...host, ...serverCommand()], {...environment, FTFT_ROLE: role});
      endings.push(() => member.end('SIGTERM'));
      return member;
    };
    const api = await start(numWorkers > 0 ? 'api' : 'all');
    const channel: Channel = createChannel(api.address);
    endings.push(() => channel.close());
    const workers: Member[] = [];
    const startWorker = async () => {
      const worker = await start('worker');
      workers.push(worker);
      return worker;
    };
    for (let i = 0; i < numWorkers; i++) await startWorker();
    return {api, client: createClient(FtftServiceDefinition, channel), workers, startWorker, end};
  } catch (error) {
    await end();
    throw error;
  }
}

async function startMember([file, ...args]: string[], env: NodeJS.ProcessEnv): Promise<Member> {
  // A group of its own, to be killed with its trainer.
  const child = spawn(file, args, {env, stdio: ['ignore', 'pipe', 'inherit'], detached: true});
  const kill = () => child.pid !== undefined && child.exitCode === null && process.kill(-child.pid, 'SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  const {grpc = ''} = await listening(child);
  return new Member(child, grpc);
}
