// Files → what is made of them, made anew when they change; what cannot be read or is wrong leaves the last good one in place.
import {createHash} from 'node:crypto';
import type {Log} from '../../telemetry/log.js';

export interface Reloaded<T> {
  readonly current: T;
  close(): void;
}

export interface ReloadOptions<T> {
  /** What the files are, for the log: 'TLS certificate'. */
  what: string;
  /** Contents of all the files, in an order of its own. */
  read(): Promise<Buffer[]>;
  /** Throws where the contents are wrong. */
  load(contents: Buffer[]): T;
  /** Told of each later one. */
  changed?(value: T): void;
  everyMs?: number;
  log: Log;
}

const defaultEveryMs = 5000;

/** The first reading must succeed. Polls, since a mounted secret is a link that is replaced, which watchers miss. */
export async function reloaded<T>(options: ReloadOptions<T>): Promise<Reloaded<T>> {
  const {what, read, load, changed, everyMs = defaultEveryMs, log} = options;
  const contents = await read();
  let current = load(contents);
  let seen = digestOf(contents);
  let isReading = false;
  let lastFault = '';

  const look = async () => {
    const found = await read();
    const digest = digestOf(found);
    if (digest === seen) return;
    seen = digest;
    current = load(found);
    lastFault = '';
    changed?.(current);
    log.info({}, `${what}: reloaded`);
  };
  const timer = setInterval(() => {
    if (isReading) return;
    isReading = true;
    look()
      .catch((error: unknown) => {
        const fault = error instanceof Error ? error.message : String(error);
        if (fault !== lastFault) log.error({fault}, `${what}: not reloaded, the last good one stays in use`);
        lastFault = fault;
      })
      .finally(() => {
        isReading = false;
      });
  }, everyMs).unref();
  return {
    get current() {
      return current;
    },
    close: () => clearInterval(timer),
  };
}

function digestOf(contents: Buffer[]): string {
  const hash = createHash('sha256');
  for (const content of contents) hash.update(`${content.length}\n`).update(content);
  return hash.digest('hex');
}
