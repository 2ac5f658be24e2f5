// Clocks of single processes, moved while they run: by libfaketime, which reads the offset from a file.
import {readdirSync, renameSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

/** FTFT_FAKETIME names the library where it is not installed. */
export function findFaketime(): string | undefined {
  if (process.env.FTFT_FAKETIME) return process.env.FTFT_FAKETIME;
  const libraries = '/usr/lib';
  for (const folder of readdirSync(libraries).filter(name => name.includes('-linux-'))) {
    const names = list(join(libraries, folder, 'faketime'));
    const found = names.find(name => name.startsWith('libfaketimeMT.so'));
    if (found) return join(libraries, folder, 'faketime', found);
  }
  return undefined;
}

export class Clocks {
  constructor(
    private readonly folder: string,
    private readonly library: string | undefined,
  ) {}

  /** For a process that is to have a clock of this name. */
  environment(name: string): NodeJS.ProcessEnv {
    if (!this.library) return {};
    this.move(name, 0);
    return {
      LD_PRELOAD: this.library,
      FAKETIME_TIMESTAMP_FILE: this.file(name),
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
  }

  /** Seen by the process within a second. */
  move(name: string, seconds: number): void {
    const file = this.file(name);
    writeFileSync(`${file}.new`, `${seconds < 0 ? '' : '+'}${seconds.toFixed(3)}\n`, {mode: 0o644});
    renameSync(`${file}.new`, file);
  }

  private file(name: string): string {
    return join(this.folder, `clock-${name}`);
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
