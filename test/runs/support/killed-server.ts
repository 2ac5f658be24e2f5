// Options of runs in; a process that owns them, and is killed again and again with its trainer, out.
import assert from 'node:assert/strict';
import {type ChildProcess, fork} from 'node:child_process';
import {once} from 'node:events';
import {setTimeout as wait} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import type {RunsOptions} from '../../../src/runs/create-runs.js';

const entry = fileURLToPath(new URL('./runs-process.ts', import.meta.url));

/** A server process that is started again after each kill. */
export class KilledServer {
  private child: ChildProcess;
  private readonly dead = new Set<number>();

  constructor(private readonly options: RunsOptions) {
    this.child = this.start();
  }

  /** SIGKILL a random time after the attempt's first step. */
  async killSoon(victim: 'server' | 'trainer'): Promise<void> {
    // Steps of a trainer that is dead may still be on their way.
    let trainerPid = 0;
    while (trainerPid === 0 || this.dead.has(trainerPid)) ({trainerPid} = await this.said('trainerPid'));
    this.dead.add(trainerPid);
    await wait(500 * Math.random());
    if (victim === 'trainer') process.kill(trainerPid, 'SIGKILL');
    else {
      this.child.kill('SIGKILL');
      await once(this.child, 'exit');
      this.child = this.start();
    }
    await gone(trainerPid);
  }

  async untilEnd(): Promise<string> {
    return (await this.said('ended')).ended;
  }

  async end(): Promise<void> {
    this.child.kill('SIGKILL');
  }

  private start(): ChildProcess {
    return fork(entry, [JSON.stringify(this.options)], {stdio: ['ignore', 'inherit', 'inherit', 'ipc']});
  }

  private async said(key: string) {
    for (;;) {
      const [message] = await once(this.child, 'message', {signal: AbortSignal.timeout(30_000)});
      if (message[key] !== undefined) return message;
    }
  }
}

/** An orphaned trainer ends by itself. */
async function gone(pid: number): Promise<void> {
  for (let i = 0; i < 200; i++) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await wait(50);
  }
  assert.fail(`trainer ${pid} outlives its server`);
}
