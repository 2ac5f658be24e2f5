// A wait of any length in, its end out: by the monotonic clock, which nobody sets.

/** Timers that are to wait longer fire at once. */
const longestMs = 2 ** 31 - 1;

export class LongTimer {
  private timer: NodeJS.Timeout | undefined;

  start(milliseconds: number, end: () => void): void {
    const nextMs = Math.min(Math.max(0, milliseconds), longestMs);
    this.timer = setTimeout(() => {
      if (milliseconds > nextMs) this.start(milliseconds - nextMs, end);
      else end();
    }, nextMs);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
