// Programs that set-up starts: they end with it, and what they printed is shown only when they fail.
import {spawn, spawnSync} from 'node:child_process';
import {rmSync} from 'node:fs';

/** A fault that one line explains; no stack is printed for it. */
export class SetupError extends Error {}

const running = new Set();
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.once(signal, () => process.exit(code));
}
process.once('exit', () => {
  for (const child of running) child.kill('SIGTERM');
});

/** Runs a program to its end; rejects with the last lines that it printed. */
export function run(what, program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {...options, stdio: ['ignore', 'pipe', 'pipe']});
    running.add(child);
    let printed = '';
    let answer = '';
    child.stdout.on('data', data => {
      answer += data;
      printed = (printed + data).slice(-20_000);
    });
    child.stderr.on('data', data => {
      printed = (printed + data).slice(-20_000);
    });
    child.on('error', error => reject(new SetupError(`${what}: ${program} does not start (${error.message})`)));
    child.on('close', (code, signal) => {
      running.delete(child);
      if (code === 0) return resolve(answer.trim());
      const lines = printed.trim().split('\n').slice(-15).join('\n    ');
      reject(new SetupError(`${what} failed (${signal ?? `exit status ${code}`}):\n    ${lines}`));
    });
  });
}

/** First line that a program prints about itself, or undefined when it does not run. */
export function firstLine(program, args) {
  const {status, stdout, stderr} = spawnSync(program, args, {encoding: 'utf8'});
  return status === 0 ? `${stdout}${stderr}`.trim().split('\n')[0] : undefined;
}

/** Holds folders for this set-up alone until it ends, however it ends: the system takes the lock back. */
export async function lock(folders, onWait = () => {}) {
  for (const folder of folders) {
    const holder = spawn('flock', [folder, 'sh', '-c', 'echo held; cat'], {stdio: ['pipe', 'pipe', 'ignore']});
    const waiting = setTimeout(onWait, 1000);
    await new Promise((resolve, reject) => {
      holder.stdout.once('data', resolve);
      holder.once('error', () => reject(new SetupError('flock is missing: sudo apt-get install util-linux')));
      holder.once('exit', () => reject(new SetupError(`Cannot lock ${folder}`)));
    });
    clearTimeout(waiting);
    holder.unref();
    holder.stdin.unref();
    holder.stdout.unref();
  }
}

/** Removes a folder, whatever is in it. */
export const remove = path => rmSync(path, {recursive: true, force: true});
