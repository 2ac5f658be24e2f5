// A set-up script, or a piece of one, run as a process of its own → what it printed and how it ended.
import {spawn} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import type {TestContext} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const setupScript = join(root, 'scripts', 'setup.mjs');

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ftft-setup-'));
  t.after(() => rmSync(folder, {recursive: true, force: true}));
  return folder;
}

/** A folder for PATH whose programs are shell scripts. */
export function programs(folder: string, scripts: Record<string, string>): string {
  mkdirSync(folder, {recursive: true});
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, {mode: 0o755});
  }
  return folder;
}

export function startNode(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: {...process.env, ...env},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed = {stdout: '', stderr: ''};
  child.stdout.on('data', data => {
    printed.stdout += data;
  });
  child.stderr.on('data', data => {
    printed.stderr += data;
  });
  const ended = new Promise<number | null>(resolve => child.on('close', code => resolve(code)));
  return {child, printed, ended};
}

/** Waits for something that another process does. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`Waited 20 s in vain until ${what}`);
    await sleep(20);
  }
}

export async function runNode(args: string[], env: Record<string, string> = {}) {
  const {printed, ended} = startNode(args, env);
  return {code: await ended, ...printed};
}

/** Arguments for Node that run a piece of set-up: `code` may await, and `setup` is the module that it is given. */
export const withModule = (name: string, code: string): string[] => [
  '--input-type=module',
  '-e',
  `import * as setup from ${JSON.stringify(join(root, 'scripts', 'setup', name))};\n${code}`,
];
