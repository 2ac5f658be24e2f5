// Nothing → a server of our own as a child process, and where it listens.
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {extname} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {FtftError} from '../errors.js';

const startWithinMs = 60_000;
const stopWithinMs = 20_000;
const keptLogLines = 200;

export interface ServerProcess {
  /** HOST:PORT of the gRPC service. */
  address: string;
  /** Last lines that the server wrote. */
  log(): string[];
  /** Resolves when the process has ended, for whatever reason. */
  ended: Promise<void>;
  /** Asks it to drain, and ends it with all its children when it takes too long. */
  stop(): Promise<void>;
  /** At once, children too. */
  kill(): void;
}

/** Command line of the server. */
export const serverCommand = (): string[] => processCommand('main');

/** Of a program of ours that nobody imports: above this file, as TypeScript through tsx or compiled. */
export function processCommand(name: 'main' | 'export'): string[] {
  const ending = extname(import.meta.url);
  const loader = ending === '.ts' ? ['--import', import.meta.resolve('tsx')] : [];
  return [process.execPath, ...loader, fileURLToPath(new URL(`../${name}${ending}`, import.meta.url))];
}

/** The server is the head of a process group of its own: a Ctrl-C meant for us does not reach it, and its children can be ended with it. */
export async function startServer(env: NodeJS.ProcessEnv, command = serverCommand()): Promise<ServerProcess> {
  const child = spawn(command[0], command.slice(1), {env, stdio: ['ignore', 'pipe', 'pipe'], detached: true});
  const log: string[] = [];
  const keep = (line: string) => {
    log.push(line);
    if (log.length > keptLogLines) log.shift();
  };
  const ended = once(child, 'exit').then(() => {});
  const kill = () => killGroup(child);
  process.once('exit', kill);
  createInterface({input: child.stderr}).on('line', keep);
  const listening = new Promise<string>((resolve, reject) => {
    createInterface({input: child.stdout}).on('line', line => {
      keep(line);
      const address = listeningAddress(line);
      if (address) resolve(address);
    });
    child.once('error', reject);
    // 'close' comes after the last line of stderr, which says why.
    child.once('close', code => reject(notStarted(`it ended with exit code ${code}`, log)));
    setTimeout(
      () => reject(notStarted(`it did not listen within ${startWithinMs / 1000} s`, log)),
      startWithinMs,
    ).unref();
  });
  try {
    const address = await listening;
    const stop = async () => {
      const timer = setTimeout(kill, stopWithinMs);
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await ended;
      clearTimeout(timer);
      process.off('exit', kill);
    };
    return {address, log: () => log, ended, stop, kill};
  } catch (error) {
    kill();
    throw error;
  }
}

/** The server's one line: {"event":"listening","grpc":"127.0.0.1:50051",…}. */
function listeningAddress(line: string): string | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const {event, grpc} = JSON.parse(line) as {event?: unknown; grpc?: unknown};
    return event === 'listening' && typeof grpc === 'string' ? grpc : undefined;
  } catch {
    return undefined;
  }
}

function notStarted(why: string, log: string[]): FtftError {
  const tail = log.slice(-5).map(line => `\n  ${line}`);
  return new FtftError('INTERNAL', `Cannot start the server: ${why}${tail.join('')}`, {reason: 'SERVER_NOT_STARTED'});
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}
