// One process of the service under test, started again whenever it is gone, as a supervisor does.
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {createWriteStream, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {setTimeout as sleep} from 'node:timers/promises';
import {type Channel, createChannel, createClient} from 'nice-grpc';
import {type FtftServiceClient, FtftServiceDefinition} from '../../src/server/gen/ftft/v1/ftft_service.js';

const restartMs = 200;

export interface MemberOptions {
  name: string;
  command: string[];
  environment: NodeJS.ProcessEnv;
  logFolder: string;
}

export class Member {
  /** Ends of the process that nobody wished for, after it had begun to listen. */
  readonly ownEnds: string[] = [];
  numStarts = 0;
  private child: ChildProcess | undefined;
  private channel: Channel | undefined;
  private connected: FtftServiceClient | undefined;
  private isWanted = true;
  private isKilled = false;
  private readonly life: Promise<void>;
  /** Nobody outlives us. */
  private readonly killNow = () => void this.child?.kill('SIGKILL');

  constructor(private readonly options: MemberOptions) {
    process.on('exit', this.killNow);
    this.life = this.live();
  }

  get name(): string {
    return this.options.name;
  }

  /** Of the process that listens now; undefined while there is none. */
  get client(): FtftServiceClient | undefined {
    return this.connected;
  }

  async listening(): Promise<void> {
    while (!this.connected) await sleep(20);
  }

  /** SIGKILL to this process alone: its trainer has to notice by itself. */
  kill(): void {
    this.isKilled = true;
    this.child?.kill('SIGKILL');
  }

  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  trainers(): number[] {
    const pid = this.child?.pid;
    if (pid === undefined) return [];
    try {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
    } catch {
      return [];
    }
  }

  async end(): Promise<void> {
    this.isWanted = false;
    this.resume();
    this.kill();
    await this.life;
    process.off('exit', this.killNow);
  }

  private async live(): Promise<void> {
    const {name, command, environment, logFolder} = this.options;
    const log = createWriteStream(join(logFolder, `${name}.log`));
    while (this.isWanted) {
      this.isKilled = false;
      // A group of its own: a Ctrl-C is ours to hear.
      const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
      const child = spawn(command[0], command.slice(1), {env: environment, stdio, detached: true});
      this.child = child;
      this.numStarts++;
      child.stderr.pipe(log, {end: false});
      createInterface({input: child.stdout}).on('line', line => this.hear(line));
      const [code, signal] = await once(child, 'exit');
      const hadListened = this.connected !== undefined;
      this.channel?.close();
      this.channel = this.connected = undefined;
      log.write(`--- ended: ${signal ?? code}\n`);
      if (hadListened && !this.isKilled) this.ownEnds.push(`${name} ended by itself: ${signal ?? `code ${code}`}`);
      if (this.isWanted) await sleep(restartMs);
    }
    log.end();
  }

  private hear(line: string): void {
    if (!line.includes('"listening"')) return;
    const {grpc} = JSON.parse(line) as {grpc?: string};
    // A worker serves no calls.
    this.channel = createChannel(grpc ?? '127.0.0.1:9');
    this.connected = createClient(FtftServiceDefinition, this.channel);
  }
}
