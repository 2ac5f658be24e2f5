// A change of a run wakes those who wait for it in this process; changes by other processes are hinted at, or found by polling.

const pollMs = 1000;

/** log: only what adds an event; run: whatever changes the run, its progress too. */
type Interest = 'log' | 'run';

export class Wakeups {
  private readonly watches = new Map<string, Set<Watch>>();

  wake(runId: string, isLogged: boolean): void {
    for (const watch of this.watches.get(runId) ?? []) if (isLogged || watch.interest === 'run') watch.wake();
  }

  /** Changes may have been missed. */
  wakeAll(): void {
    for (const watches of this.watches.values()) for (const watch of watches) watch.wake();
  }

  /** Notes every change from now on, so that none is missed between reading and waiting. To be closed. */
  watch(runId: string, interest: Interest): Watch {
    const watches = this.watches.get(runId) ?? new Set();
    this.watches.set(runId, watches);
    const watch = new Watch(interest, () => {
      watches.delete(watch);
      if (watches.size === 0 && this.watches.get(runId) === watches) this.watches.delete(runId);
    });
    watches.add(watch);
    return watch;
  }
}

export class Watch {
  private isWoken = false;
  private resume: (() => void) | undefined;

  constructor(
    readonly interest: Interest,
    readonly close: () => void,
  ) {}

  wake(): void {
    this.isWoken = true;
    this.resume?.();
  }

  /** Resolves when something has changed since the last call, or after the poll interval, or maxMs. Throws the signal's reason when it aborts. */
  async wait(signal: AbortSignal, maxMs = pollMs): Promise<void> {
    signal.throwIfAborted();
    if (!this.isWoken) await this.sleep(signal, Math.min(pollMs, maxMs));
    this.isWoken = false;
    signal.throwIfAborted();
  }

  private sleep(signal: AbortSignal, milliseconds: number): Promise<void> {
    return new Promise(resolve => {
      const wakeUp = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wakeUp);
        this.resume = undefined;
        resolve();
      };
      const timer = setTimeout(wakeUp, milliseconds);
      signal.addEventListener('abort', wakeUp);
      this.resume = wakeUp;
    });
  }
}
