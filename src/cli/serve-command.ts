// ftft serve and ftft worker: a server, or a process that only trains, in the foreground; signals go in, its exit code comes out.
import {spawn} from 'node:child_process';
import {constants} from 'node:os';
import type {Command} from 'commander';
import type {Io} from './io.js';
import {serverCommand} from './server-process.js';
import {helpTail, integer} from './verb.js';

interface ServeOptions {
  port?: number;
  host?: string;
  dataDir?: string;
  worker?: boolean;
}

const passedOn = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const;

export function addServe(program: Command, io: Io): void {
  program
    .command('serve')
    .description('Start the server; its settings are the FTFT_ variables of the environment')
    .option('--host <host>', 'address to listen on (FTFT_HOST)')
    .option('--port <port>', 'gRPC port, 0 for a free one (FTFT_GRPC_PORT)', integer(0, 65535))
    .option('--data-dir <folder>', 'where datasets, runs and models are kept (FTFT_DATA_DIR)')
    .option('--no-worker', 'serve calls only; processes started with `ftft worker` train (FTFT_ROLE=api)')
    .addHelpText('after', helpTail(['ftft serve', 'FTFT_HTTP_PORT=0 ftft serve --port 0 --data-dir ./state']))
    .action(async (options: ServeOptions) => {
      const env = options.worker === false ? {...io.env, FTFT_ROLE: 'api'} : io.env;
      io.exitCode = await serve(environment(options, env));
    });
}

export function addWorker(program: Command, io: Io): void {
  program
    .command('worker')
    .description(
      'Train what servers have accepted, one run at a time for each accelerator; any number of workers may share a database',
    )
    .option('--host <host>', 'address to listen on for metrics and health (FTFT_HOST)')
    .option('--data-dir <folder>', 'where datasets, runs and models are kept, the servers’ own (FTFT_DATA_DIR)')
    .addHelpText('after', helpTail(['ftft worker', 'FTFT_DATABASE_URL=postgresql://ftft@database/ftft ftft worker']))
    .action(async (options: ServeOptions) => {
      io.exitCode = await serve(environment(options, {...io.env, FTFT_ROLE: 'worker'}));
    });
}

function environment({host, port, dataDir}: ServeOptions, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...env,
    ...(host === undefined ? {} : {FTFT_HOST: host}),
    ...(port === undefined ? {} : {FTFT_GRPC_PORT: String(port)}),
    ...(dataDir === undefined ? {} : {FTFT_DATA_DIR: dataDir}),
  };
}

/** Exit code of the server, 128 + the signal's number when a signal ended it. */
async function serve(env: NodeJS.ProcessEnv): Promise<number> {
  const [file, ...args] = serverCommand();
  // A process group of its own, else a Ctrl-C in the terminal would reach it twice: from the terminal and from here.
  const child = spawn(file, args, {env, stdio: 'inherit', detached: true});
  const listeners = passedOn.map(signal => [signal, () => void child.kill(signal)] as const);
  const end = () => void child.kill('SIGTERM');
  for (const [signal, listener] of listeners) process.on(signal, listener);
  process.once('exit', end);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
    });
  } finally {
    for (const [signal, listener] of listeners) process.off(signal, listener);
    process.off('exit', end);
  }
}
