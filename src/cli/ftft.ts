// The process ftft: its arguments, streams and signals → its exit code. scripts/ftft.mjs starts it.
import {ftft, Interruption} from './program.js';

const args = process.argv.slice(2);
const {stdin, stdout, stderr, env} = process;
// serve hands every signal on to the server, which knows what to do with it.
const signal = args[0] === 'serve' ? new AbortController().signal : stopSignal();
// A reader that has had enough, such as head, is no error of ours.
stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.exitCode = await ftft(args, {stdin, stdout, stderr, env, signal, exitCode: 0});

/** The first signal stops what is going on in good order; the second ends it. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ] as const)
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(128 + number);
      controller.abort(new Interruption(128 + number));
    });
  return controller.signal;
}
