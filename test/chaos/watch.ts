// The database and the processes, looked at again and again while faults strike → findings.
import {readFileSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import type {RunRow} from './evidence.js';
import {checkStep, type Findings, isTerminal} from './invariants.js';
import type {World} from './world.js';

const everyMs = 100;
/** Far more than lease and claim interval, on the slowest machine. */
const longestOverMs = 60_000;

export class Watch {
  /** Everything is mended. */
  isCalm = false;
  private readonly last = new Map<string, RunRow>();
  private readonly trainers = new Set<number>();
  private overSince: number | undefined;

  constructor(
    private readonly world: World,
    private readonly findings: Findings,
  ) {}

  start(): {stop(): Promise<void>} {
    let isStopped = false;
    this.isCalm = false;
    this.overSince = undefined;
    const watching = (async () => {
      while (!isStopped) {
        // A database that is down is not looked at.
        await this.look().catch(() => {});
        await sleep(everyMs);
      }
    })();
    return {
      async stop() {
        isStopped = true;
        await watching;
      },
    };
  }

  /** Trainers that live although all runs have ended: an orphan notices between two steps, or when TensorFlow is loaded. */
  async strayTrainers(): Promise<number[]> {
    const end = performance.now() + longestOverMs;
    for (;;) {
      const stray = [...this.trainers].filter(isTrainer);
      if (stray.length === 0) this.trainers.clear();
      if (stray.length === 0 || performance.now() > end) return stray;
      await sleep(everyMs);
    }
  }

  private async look(): Promise<void> {
    for (const worker of this.world.workers) for (const pid of worker.trainers()) this.trainers.add(pid);
    const rows = await this.world.evidence.runs();
    for (const row of rows) {
      const before = this.last.get(row.id);
      if (before && isTerminal(before.state) && before.state === row.state) continue;
      checkStep(this.findings, before, row);
      this.last.set(row.id, row);
    }
    const isOver = this.isCalm && rows.some(({leaseMs = 0}) => leaseMs < 0);
    if (!isOver) this.overSince = undefined;
    else this.overSince ??= performance.now();
    const overMs = this.overSince === undefined ? 0 : performance.now() - this.overSince;
    const over = rows.filter(({leaseMs = 0}) => leaseMs < 0).map(({id}) => id);
    this.findings.check('no RUNNING without a lease', overMs < longestOverMs, () => `${over}: nobody takes them`);
  }
}

function isTrainer(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('trainer');
  } catch {
    return false;
  }
}
