// A job in, the messages of a child process that trains it out, and how it ended. The child yields the processor to its parent.
import {type ChildProcess, fork} from 'node:child_process';
import {constants, setPriority} from 'node:os';
import {createInterface} from 'node:readline';
import type {FromTrainer, ToTrainer} from './trainer-protocol.js';

/** What TensorFlow says of itself at each start, before any log level of ours applies. */
const startUpNotice = /absl::InitializeLog\(\)|oneDNN custom operations are on/;

/** A child that was told to stop has this long for its current batch. */
const stopMs = 60_000;

export class TrainerChild {
  /** Resolves, with a description, when the process is gone and all that it said was heard. */
  readonly ended: Promise<string>;
  private readonly child: ChildProcess;
  private stopTimer: NodeJS.Timeout | undefined;
  private hasSpoken = false;

  /** env: of the child; ours when undefined. */
  constructor(
    entry: string,
    first: Extract<ToTrainer, {job: unknown}>,
    onMessage: (message: FromTrainer) => void,
    env?: NodeJS.ProcessEnv,
  ) {
    // Our standard output belongs to the program's own lines.
    this.child = fork(entry, [], {serialization: 'advanced', stdio: ['ignore', 2, 'pipe', 'ipc'], env});
    const {child} = this;
    this.ended = new Promise(resolve => {
      // First of all: a process without files to spare gets a child that has nothing but this event.
      child.on('error', error => resolve(`it could not be started: ${error.message}`));
      child.once('exit', (code, signal) => {
        clearTimeout(this.stopTimer);
        const how = signal ? `it was killed by ${signal}` : `it exited with code ${code}`;
        // Messages may still be in the channel.
        if (child.connected) child.once('disconnect', () => resolve(how));
        else resolve(how);
      });
    });
    child.on('message', message => {
      this.hasSpoken = true;
      onMessage(message as FromTrainer);
    });
    if (child.stderr)
      createInterface({input: child.stderr}).on('line', line => {
        if (!startUpNotice.test(line)) process.stderr.write(`${line}\n`);
      });
    if (child.pid !== undefined) lowerPriority(child.pid);
    this.send(first);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  committed(): void {
    this.send({kind: 'committed'});
  }

  /** At the next batch boundary, isLeaving: once it has kept its state; by force when that does not come, or while it has not begun to train. */
  stop(isLeaving: boolean): void {
    if (this.stopTimer) return;
    if (!this.hasSpoken) this.kill();
    this.send({kind: 'stop', isLeaving});
    this.stopTimer = setTimeout(() => this.kill(), stopMs);
    this.stopTimer.unref();
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  private send(message: ToTrainer): void {
    // A child that is gone is found by its end.
    if (this.child.connected) this.child.send(message, () => {});
  }
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It has ended already, or the platform does not allow it: training is as right, the server a little slower.
  }
}
