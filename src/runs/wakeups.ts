// A change of a run wakes those who wait for it in this process; changes by other processes are found by polling.
import {EventEmitter, once} from 'node:events';

const pollMs = 1000;

export class Wakeups {
  private readonly emitter = new EventEmitter().setMaxListeners(0);

  wake(runId: string): void {
    this.emitter.emit(changeOf(runId));
  }

  /** Resolves at the next change of the run, or after the poll interval, or maxMs. Throws the signal's reason when it aborts. */
  async wait(runId: string, signal: AbortSignal, maxMs = pollMs): Promise<void> {
    signal.throwIfAborted();
    const stop = new AbortController();
    const onAbort = () => stop.abort();
    signal.addEventListener('abort', onAbort);
    const timer = setTimeout(onAbort, Math.min(pollMs, maxMs));
    try {
      await once(this.emitter, changeOf(runId), {signal: stop.signal}).catch(() => undefined);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
    signal.throwIfAborted();
  }
}

/** An emitter throws where nobody listens to its event `error`, which is an id that a run may have. */
const changeOf = (runId: string): string => `runs/${runId}`;
