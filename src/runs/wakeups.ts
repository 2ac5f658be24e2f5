// A change of a run wakes those who wait for it in this process; changes by other processes are hinted at, or found by polling. What
// many who wait would read then, one reads for all.

const pollMs = 1000;

/** log: only what adds an event; run: whatever changes the run, its progress too. */
type Interest = 'log' | 'run';

export class Wakeups {
  private readonly runs = new Map<string, WatchedRun>();

  wake(runId: string, isLogged: boolean): void {
    this.runs.get(runId)?.wake(isLogged);
  }

  /** Changes may have been missed. */
  wakeAll(): void {
    for (const run of this.runs.values()) run.wake(true);
  }

  /** Notes every change from now on, so that none is missed between reading and waiting. To be closed. */
  watch(runId: string, interest: Interest): Watch {
    const run = this.runs.get(runId) ?? new WatchedRun(() => this.runs.delete(runId));
    this.runs.set(runId, run);
    return run.watch(interest);
  }
}

/** A run while anybody waits for it. */
class WatchedRun {
  private readonly watches = new Set<Watch>();
  private readonly reads = new Map<string, Promise<unknown>>();
  private poll: NodeJS.Timeout | undefined;

  constructor(private readonly forget: () => void) {}

  watch(interest: Interest): Watch {
    const watch: Watch = new Watch(interest, this, () => this.leave(watch));
    this.watches.add(watch);
    return watch;
  }

  /** Somebody waits: a change that nobody hints at is found soon. */
  pollSoon(): void {
    this.poll ??= setTimeout(() => this.wake(true), pollMs);
  }

  wake(isLogged: boolean): void {
    this.reads.clear();
    if (isLogged) this.stopPoll();
    for (const watch of this.watches) if (isLogged || watch.interest === 'run') watch.wake();
  }

  shared<T>(key: string, read: () => Promise<T>): Promise<T> {
    const begun = this.reads.get(key) as Promise<T> | undefined;
    if (begun) return begun;
    const promise = read();
    this.reads.set(key, promise);
    return promise;
  }

  private leave(watch: Watch): void {
    if (!this.watches.delete(watch) || this.watches.size > 0) return;
    this.stopPoll();
    this.forget();
  }

  private stopPoll(): void {
    clearTimeout(this.poll);
    this.poll = undefined;
  }
}

export class Watch {
  private isWoken = false;
  private resume: (() => void) | undefined;

  constructor(
    readonly interest: Interest,
    private readonly run: Pick<WatchedRun, 'shared' | 'pollSoon'>,
    readonly close: () => void,
  ) {}

  /**
   * The read's result; of those who ask by one key between two changes, only the first reads. A change that comes after that read
   * began wakes them all.
   */
  shared<T>(key: string, read: () => Promise<T>): Promise<T> {
    return this.run.shared(key, read);
  }

  wake(): void {
    this.isWoken = true;
    this.resume?.();
  }

  /** Resolves when something may have changed since the last call, or after maxMs. Throws the signal's reason when it aborts. */
  async wait(signal: AbortSignal, maxMs?: number): Promise<void> {
    signal.throwIfAborted();
    if (!this.isWoken) await this.sleep(signal, maxMs);
    this.isWoken = false;
    signal.throwIfAborted();
  }

  private sleep(signal: AbortSignal, milliseconds: number | undefined): Promise<void> {
    return new Promise(resolve => {
      const wakeUp = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wakeUp);
        this.resume = undefined;
        resolve();
      };
      const timer = milliseconds === undefined ? undefined : setTimeout(wakeUp, milliseconds);
      signal.addEventListener('abort', wakeUp);
      this.resume = wakeUp;
      this.run.pollSoon();
    });
  }
}
